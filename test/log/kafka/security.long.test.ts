import { join } from 'node:path'
import {
  AclOperations,
  AclPermissionTypes,
  createAclsV3,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka'
import t from 'tap'
import { checkKafka } from '../../../src/log/kafka/check.ts'
import { Cluster } from '../../../src/log/kafka/cluster.ts'
import { kafkaOptions } from '../../../src/log/kafka/options.ts'
import { collect } from '../../support/collect.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, change, firstAssignment, take, texts } from './change.ts'
import { type GivenOptions, openLog } from './open.ts'

const { bootstrap, prefix, cluster } = await useKafka(t, { secure: true })
const { sasl, saslTls, mutualTls, authority, client } = cluster!.secure!
const folder = t.testdir({
  'ca.pem': authority.pem,
  'client.pem': client.pem,
  'client.key': client.key,
  token: token('alice'),
})
const file = (name: string) => join(folder, name)
const tls = { ca: file('ca.pem') }
const alice = { username: 'alice', password: 'alice-secret' }
const mallory = { mechanism: 'PLAIN', username: 'mallory', password: 'mallory-secret' }

/** A token as brokers take it for trials: unsigned. */
function token(subject: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + 3_600 })}.`
}

const ways: Readonly<Record<string, [address: string, options: GivenOptions]>> = {
  PLAIN: [sasl, { sasl: { mechanism: 'PLAIN', ...alice } }],
  'SCRAM-SHA-256': [sasl, { sasl: { mechanism: 'SCRAM-SHA-256', ...alice } }],
  'SCRAM-SHA-512 over TLS': [saslTls, { tls, sasl: { mechanism: 'SCRAM-SHA-512', ...alice } }],
  OAUTHBEARER: [sasl, { sasl: { mechanism: 'OAUTHBEARER', token: token('alice') } }],
  'OAUTHBEARER from a file': [
    saslTls,
    { tls, sasl: { mechanism: 'OAUTHBEARER', tokenFile: file('token') } },
  ],
  'a certificate': [
    mutualTls,
    { tls: { ...tls, certificate: file('client.pem'), key: file('client.key') } },
  ],
}

for (const [name, [address, options]] of Object.entries(ways)) {
  t.test(`writes, reads and joins a group with ${name}`, async (t) => {
    const topic = `${prefix}.${name.replaceAll(/[^A-Z0-9]/gi, '')}`
    const log = openLog(address, prefix, options)
    const writer = log.writer(`${topic}.w`)
    await writer.resume('s')
    await append(writer, [change(topic, 0)], 'p')
    const { source } = await firstAssignment(log, [topic], `${topic}.g`)
    t.same(texts(await take(source, 1)), ['{"n":0}'])
    await log.close()
  })
}

t.test('a wrong password is told as such', async (t) => {
  const wrong = { mechanism: 'SCRAM-SHA-256', username: 'alice', password: 'wrong' }
  const log = openLog(sasl, prefix, { sasl: wrong })
  await t.rejects(log.writer(`${prefix}.w`).resume('s'), {
    code: 'ACCESS_DENIED',
    message: /authentication/i,
  })
  await log.close()
})

t.test('a certificate of another authority is not taken', async (t) => {
  const log = openLog(saslTls, prefix, { tls: {}, sasl: { mechanism: 'PLAIN', ...alice } })
  await t.rejects(log.writer(`${prefix}.w`).resume('s'), { message: /certificate/i })
  await log.close()
})

t.test('a right that is missing is named', async (t) => {
  const topic = `${prefix}.rights`
  const owner = openLog(sasl, prefix, { sasl: { mechanism: 'PLAIN', ...alice } })
  const writer = owner.writer(`${prefix}.w2`)
  await writer.resume('s')
  await append(writer, [change(topic, 0)], 'p')
  await owner.close()
  const log = openLog(sasl, prefix, { sasl: mallory })
  await t.rejects(log.writer(`${prefix}.w2`).resume('s'), {
    code: 'ACCESS_DENIED',
    message: /the user needs .*Describe.* on the topic/,
  })
  await t.rejects(take(log.reader([topic], 'r'), 1), { code: 'ACCESS_DENIED' })
  await log.close()
})

t.test('the doctor names the rights that a user lacks', async (t) => {
  const topic = `${prefix}.doctor`
  const owner = openLog(sasl, prefix, { sasl: { mechanism: 'PLAIN', ...alice } })
  const writer = owner.writer(`${prefix}.w3`)
  await writer.resume('s')
  await append(writer, [change(topic, 0)], 'p')
  await owner.close()
  const doctor = async () => {
    const given = { type: 'kafka', brokers: sasl, sasl: mallory }
    const options = { ...kafkaOptions.parse(given), topics: {} }
    const checked = { pipeline: prefix, options, topics: [topic] }
    const found = await collect(checkKafka(checked))
    return found.map(({ level, what }) => `${level} ${what}`).join('\n')
  }
  const nothing = await doctor()
  t.match(nothing, `error the user lacks the rights Read, Write, Describe on the topic ${topic}`)
  t.match(nothing, `error the user lacks the rights Read, Describe on the group ${prefix}.views`)
  await grant(topic, [AclOperations.READ, AclOperations.DESCRIBE])
  const some = await doctor()
  t.match(some, `error the user lacks the right Write on the topic ${topic}`)
  t.match(some, `warning the user lacks the right DescribeConfigs on the topic ${topic}`)
})

async function grant(topic: string, operations: readonly (3 | 8)[]): Promise<void> {
  const access = { brokers: bootstrap.split(','), clientId: 'test', requestTimeoutMs: 10_000 }
  const cluster = new Cluster(access)
  const acl = (operation: 3 | 8) => ({
    resourceType: ResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:mallory',
    host: '*',
    operation,
    permissionType: AclPermissionTypes.ALLOW,
  })
  await cluster.controlled('Grant rights', createAclsV3.api, operations.map(acl))
  await cluster.close()
}

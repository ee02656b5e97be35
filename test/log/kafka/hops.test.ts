import t from 'tap'
import { Cluster } from '../../../src/log/kafka/cluster.ts'
import { dropOlderHops, dropRead } from '../../../src/log/kafka/hops.ts'
import { ensureTopic } from '../../../src/log/kafka/topics.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, change } from './change.ts'
import { directoryOf, openLogIn } from './open.ts'

const { bootstrap, prefix } = await useKafka(t)
const access = { brokers: bootstrap.split(','), clientId: 'test', requestTimeoutMs: 10_000 }

t.test('what tasks tell each other goes with its definition, and once it is read', async (t) => {
  const cluster = new Cluster(access)
  const policy = { partitions: 2, replication: 1, config: {} }
  const name = (topology: string, hash: string) =>
    `__millrace.${prefix}.${topology}.${hash}.repartition`
  const names = [name('shop', 'a'), name('shop', 'b'), name('shop.x', 'a'), name('shops', 'a')]
  for (const each of names) await ensureTopic(cluster, each, policy)
  await dropOlderHops(cluster, name('shop', 'b'))
  await dropOlderHops(cluster, name('shop', 'b'))
  const left = async () => (await cluster.refresh(null)).filter((each) => names.includes(each))
  while ((await left()).length > 3);
  t.same((await left()).sort(), names.slice(1).sort())

  const log = openLogIn(directoryOf(t), bootstrap, prefix)
  const writer = log.writer(`${prefix}.w`)
  await writer.resume('s')
  const topic = name('shop', 'b')
  await append(
    writer,
    [0, 1, 2, 3, 4, 5, 6, 7].map((each) => change(topic, each)),
    'p',
  )
  // The transaction's end is answered before it is to be seen.
  const stable = async () => (await cluster.offsets(topic, 'stable'))[0]!
  while ((await stable()) === 0n);
  const end = await stable()
  await dropRead(cluster, { topic, partition: 0, next: 1 })
  t.same((await cluster.offsets(topic, 'start'))[0], 1n)
  t.same(await stable(), end)
  await log.close()
  await cluster.close()
})

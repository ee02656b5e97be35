import { randomUUID } from 'node:crypto'
import { Partitioners } from 'kafkajs'
import t from 'tap'
import { compressions } from '../../../src/log/kafka/compression.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, change, firstAssignment, take, texts } from './change.ts'
import { ForeignClient } from './foreign.ts'
import { openLog } from './open.ts'

const { bootstrap, prefix } = await useKafka(t)
const foreign = new ForeignClient(bootstrap)
const { kafka } = foreign

t.test('kafkajs reads our records, and none of what was aborted', async (t) => {
  const topic = `${prefix}.ours`
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.w`)
  await writer.resume('s')
  await append(writer, [change(topic, 0), change(topic, 1, { value: null })], 'p0')
  await writer.write({ records: [change(topic, 2)], position: '' as never, complete: true })
  await writer.resume('s')
  await append(writer, [change(topic, 3, { headers: { own: 'é' }, endsCommit: true })], 'p1')
  const found = await foreign.read(topic, 3)
  t.same(
    found.map(({ key, value }) => `${key}=${value}`),
    ['{"id":0}={"n":0}', '{"id":1}=null', '{"id":3}={"n":3}'],
  )
  const { headers, timestamp } = found[2]!
  t.equal(timestamp, '1700000000003')
  t.equal(String(headers!['millrace.version']), '4')
  t.equal(String(headers!['millrace.end']), '1')
  t.equal(String(headers!.own), 'é')
  await log.close()
})

t.test('keys lie where the clients of others look for them', async (t) => {
  const topic = `${prefix}.keys`
  const log = openLog(bootstrap, prefix, { partitions: 5 })
  const writer = log.writer(`${prefix}.w`)
  await writer.resume('s')
  const numbers = Array.from({ length: 50 }, (_, i) => i)
  await append(
    writer,
    numbers.map((i) => change(topic, i)),
    'p',
  )
  const found = await foreign.read(topic, 50)
  const partitionMetadata = [0, 1, 2, 3, 4].map((partitionId) => {
    return { partitionId, partitionErrorCode: 0, leader: 1, replicas: [1], isr: [1] }
  })
  const partitioner = Partitioners.DefaultPartitioner()
  for (const { key, partition } of found) {
    const message = { key, value: null }
    t.equal(partition, partitioner({ topic, partitionMetadata, message }))
  }
  await log.close()
})

t.test('a record that others write is a commit, with its offset for a version', async (t) => {
  const topic = `${prefix}.theirs`
  await foreign.createTopic(topic)
  const after = { id: 1, name: 'Ada' }
  const source = { connector: 'postgresql', db: 'shop', schema: 'public', table: 'a', lsn: 24 }
  const envelope = { before: null, after, source, op: 'c', ts_ms: 1_700_000_000_000 }
  const headers = { trace: ['a', 'b'], '__proto__.x': randomUUID() }
  await foreign.send(topic, [
    { key: '{"id":1}', value: JSON.stringify(envelope), headers },
    { key: '{"id":1}', value: null },
  ])
  const log = openLog(bootstrap, prefix)
  const records = await take(log.reader([topic], 'r'), 2)
  t.same(texts(records), [JSON.stringify(envelope), ''])
  t.match(records[0], { version: 1n, ordinal: 0, endsCommit: true, offset: 0n })
  t.match(records[1], { version: 2n, value: null, endsCommit: true })
  t.not(records[0]!.sequence, records[1]!.sequence)
  await log.close()
})

for (const compression of compressions) {
  t.test(`what is compressed with ${compression} is read back`, async (t) => {
    const topic = `${prefix}.compressed.${compression}`
    const log = openLog(bootstrap, prefix, { compression })
    const writer = log.writer(`${prefix}.w.${compression}`)
    await writer.resume('s')
    const records = Array.from({ length: 500 }, (_, i) => change(topic, i))
    await append(writer, records, 'p')
    t.same(texts(await take(log.reader([topic], 'r'), 500)), texts(records))
    if (compression === 'none' || compression === 'gzip') {
      const found = await foreign.read(topic, 500)
      t.same(
        found.map(({ value }) => String(value)),
        texts(records),
        'also by kafkajs',
      )
    }
    await log.close()
  })
}

t.test("Kafka's tools see our groups and what they lag", async (t) => {
  const topic = `${prefix}.group`
  const groupId = `${prefix}.g`
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.w`)
  await writer.resume('s')
  await append(writer, [change(topic, 0), change(topic, 1)], 'p')
  const { source } = await firstAssignment(log, [topic], groupId)
  for await (const { position } of source.read(undefined, new AbortController().signal)) {
    source.ack(position)
    break
  }
  const admin = kafka.admin()
  await admin.connect()
  const { groups } = await admin.describeGroups([groupId])
  t.match(groups[0], { state: 'Stable', protocolType: 'consumer', members: { length: 1 } })
  const offset = async () => {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
    return Number(found!.partitions[0]?.offset ?? -1)
  }
  while ((await offset()) < 2) await new Promise((resolve) => setTimeout(resolve, 20))
  await log.close()
  const left = await admin.describeGroups([groupId])
  t.equal(left.groups[0]!.state, 'Empty', 'the member has left')
  await admin.disconnect()
})

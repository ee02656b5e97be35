import t from 'tap'
import type { NewRecord } from '../../src/core/record.ts'
import { append, batchOf, firstAssignment, take } from '../log/kafka/change.ts'
import { ForeignClient } from '../log/kafka/foreign.ts'
import { openLog } from '../log/kafka/open.ts'
import { useKafka } from '../support/servers/use.ts'
import { customerColumns, customers } from './customers.ts'
import { useJava } from './java.ts'

const { bootstrap, prefix } = await useKafka(t)
const java = await useJava(t)
const foreign = new ForeignClient(bootstrap)
const tools = 'org.apache.kafka.tools'

t.test("Kafka's own tools read our topics, their ends, and how far our groups are", async (t) => {
  const topic = `${prefix}.shop.customers`
  const log = openLog(bootstrap, prefix, { partitions: 2 })
  const writer = log.writer(`${prefix}.tools`)
  await writer.resume('s')
  await append(writer, customers(topic, 0, 20), 'p')
  await writer.write(batchOf(customers(topic, 20, 25)))
  await writer.resume('s') // Aborts what was written.
  await append(writer, customers(topic, 25, 26), 'p1')
  const group = `${prefix}.sink`
  const { source, partition } = await firstAssignment(log, [topic], group)
  for await (const { position } of source.read(undefined, new AbortController().signal)) {
    source.ack(position)
    break
  }
  const from = ['--bootstrap-server', bootstrap, '--topic', topic]
  const said = await java.run(
    ...[`${tools}.consumer.ConsoleConsumer`, ...from, '--from-beginning'],
    ...['--isolation-level', 'read_committed', '--max-messages', '21', '--timeout-ms', '60000'],
    ...['--formatter-property', 'print.key=true', '--formatter-property', 'print.headers=true'],
  )
  const lines = said.split('\n').filter((line) => line.includes('"op":"c"'))
  const ids = lines.map((line) => Number(/\t\{"id":(\d+)\}\t/.exec(line)?.[1]))
  const committed = [...Array(20).keys(), 25]
  t.same(
    ids.sort((a, b) => a - b),
    committed,
    'none of what was aborted',
  )
  t.ok(lines.some((line) => /millrace\.version:1\b.*\{"id":0\}\t\{"before":null/.test(line)))
  const ends = await java.run(`${tools}.GetOffsetShell`, ...from)
  const counts = ends.split('\n').filter((line) => line.startsWith(`${topic}:`))
  t.equal(counts.length, 2)
  const described = await java.run(
    `${tools}.consumer.group.ConsumerGroupCommand`,
    ...['--bootstrap-server', bootstrap, '--describe', '--group', group],
  )
  const line = described.split('\n').find((each) => {
    const [name, of, number] = each.split(/\s+/)
    return name === group && of === topic && number === String(partition)
  })
  const [, , , current, end, lag] = line!.split(/\s+/)
  t.match(current, /^\d+$/)
  t.equal(Number(end) - Number(current), Number(lag))
  await log.close()
})

t.test('Kafka Streams finds our topics co-partitioned, and joins them completely', async (t) => {
  const [left, right, out] = ['left', 'right', 'joined'].map((name) => `${prefix}.${name}`)
  const log = openLog(bootstrap, prefix, { partitions: 6 })
  const writer = log.writer(`${prefix}.streams`)
  await writer.resume('s')
  await append(writer, [...customers(left!, 0, 300), ...customers(right!, 100, 400)], 'p0')
  await writer.write(batchOf(customers(right!, 0, 100)))
  await writer.resume('s') // Aborts what was written.
  await append(writer, deletes(left!, 250, 300), 'p1')
  await foreign.createTopic(out!, 6)
  const streams = java.start('Join', bootstrap, left!, right!, out!, t.testdir({}))
  const found = new Map<string, string | null>()
  let seen = 0
  const isComplete = () => [...found.values()].filter((value) => value !== null).length === 150
  // What was joined before the deletes came may be told, and taken back.
  while (!(isComplete() && found.size >= 150) && seen < 1_000) {
    seen = await foreign.count(out!)
    for (const { key, value } of await foreign.read(out!, seen)) {
      found.set(String(key), value && String(value))
    }
    if (/^failed/m.test(streams.output())) break
  }
  t.notMatch(streams.output(), /^failed|repartition/im, 'as they are, without another topic')
  const joined = [...found].filter(([, value]) => value !== null)
  t.same(
    joined.map(([key]) => (JSON.parse(key) as { id: number }).id).sort((a, b) => a - b),
    Array.from({ length: 150 }, (_, i) => i + 100),
  )
  for (const [key, value] of joined) {
    const { id } = JSON.parse(key) as { id: number }
    t.match(JSON.parse(value!), [
      { id, name: `n${id}` },
      { id, name: `n${id}` },
    ])
  }
  await log.close()
})

t.test("Kafka Connect's converter reads our JSON with schemas", async (t) => {
  const topic = `${prefix}.connect.customers`
  const log = openLog(bootstrap, prefix, { format: 'connect' })
  const writer = log.writer(`${prefix}.connect`)
  await writer.resume('s')
  const [first] = customers(topic, 1, 2)
  await append(writer, [first!, { ...first!, version: 9n, value: null }], 'p')
  const said = await java.run('ReadConnect', bootstrap, topic, '2')
  const lines = said.split('\n').filter((line) => line.startsWith('Struct'))
  t.match(lines[0], /^Struct\{id=1\} Struct\{after=Struct\{id=1,name=n1,total=1\.50,/)
  t.match(lines[0], /doc=\{"a":\[1\.50\]\}/)
  t.match(lines[0], /source=Struct\{.*table=customers/)
  t.equal(lines[1], 'Struct{id=1} null')
  const read = await take(log.reader([topic], 'r'), 2)
  t.equal(String(read[0]!.value), String(first!.value))
  await log.close()
})

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  t.test(`Java reads what is compressed with ${compression}`, async (t) => {
    const topic = `${prefix}.java.${compression}`
    const log = openLog(bootstrap, prefix, { compression })
    const writer = log.writer(`${prefix}.java.${compression}`)
    await writer.resume('s')
    await append(writer, customers(topic, 0, 200), 'p')
    const said = await java.run(
      ...[`${tools}.consumer.ConsoleConsumer`, '--bootstrap-server', bootstrap, '--topic', topic],
      ...['--from-beginning', '--max-messages', '200', '--timeout-ms', '60000'],
      ...['--isolation-level', 'read_committed'],
    )
    const lines = said.split('\n').filter((line) => line.startsWith('{'))
    t.same(
      lines.map((line) => (JSON.parse(line) as { after: { id: number } }).after.id),
      Array.from({ length: 200 }, (_, i) => i),
    )
    await log.close()
  })
}

for (const compression of ['gzip', 'snappy', 'lz4', 'zstd']) {
  t.test(`what Java compresses with ${compression} is read as input`, async (t) => {
    const topic = `${prefix}.from.java.${compression}`
    await foreign.createTopic(topic)
    const rows = Array.from({ length: 2_000 }, (_, i) => `{"id":${i},"name":"n${i}"}`)
    const producer = java.start(
      ...[`${tools}.ConsoleProducer`, '--bootstrap-server', bootstrap, '--topic', topic],
      ...['--compression-codec', compression, '--batch-size', '100000'],
      ...['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=#'],
    )
    await producer.end(rows.map((row, i) => `${i}#${row}\n`).join(''))
    const input = { key: 'string', holds: 'rows' }
    const log = openLog(bootstrap, prefix, { topics: { [topic]: { input } } })
    const records = await take(log.reader([topic], 'r'), rows.length)
    t.same(
      records.map(({ value }) => String(value)),
      rows,
    )
    t.equal(String(records[7]!.key), '{"key":"7"}')
    await log.close()
  })
}

function deletes(topic: string, from: number, to: number): readonly NewRecord[] {
  return customers(topic, from, to).flatMap((record) => {
    const version = record.version + 1_000n
    const value = Buffer.from(String(record.value).replace('"op":"c"', '"op":"d"'))
    const gone = Buffer.from(
      String(value).replace(/"after":\{.*\},"source"/, '"after":null,"source"'),
    )
    const place = { ...record, version, schema: customerColumns }
    return [
      { ...place, value: gone, endsCommit: false },
      { ...place, value: null, ordinal: 1 },
    ]
  })
}

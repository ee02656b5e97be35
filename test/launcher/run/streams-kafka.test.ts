import t from 'tap'
import type { LogRecord } from '../../../src/core/record.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { defineTopology, StreamTopology } from '../../../src/streams/stream-topology.ts'
import { append, until } from '../../log/kafka/change.ts'
import { directoryOf, openLogIn } from '../../log/kafka/open.ts'
import { useKafka } from '../../support/servers/use.ts'
import { runShop, shopRecord, shopTopology, takeFrom, told } from './stream-shop.ts'

const { bootstrap, prefix } = await useKafka(t)

/** Numbers of the commits that are written, over all topics. */
let number = 0

t.test('a topology runs on Kafka, and goes on where it was', async (t) => {
  const own = `${prefix}a`
  const path = directoryOf(t)
  const input = openLogIn(directoryOf(t), bootstrap, own)
  const writer = input.writer(`${own}.w`)
  const write = async (...records: Parameters<typeof shopRecord>[]) => {
    const made = records.map((each) => shopRecord(...each))
    await append(writer, made, String(number))
  }
  await writer.resume('s')
  await write([own, 'customers', [++number, 1, 'Ada']])
  await write([own, 'orders', [++number, 7, 1]])
  for (let i = 0; i < 4; i++) await write([own, 'clicks', [++number, i, i % 2 ? '/a' : '/b']])
  const first = runShop(openLogIn(path, bootstrap, own), own)
  t.same(told(await takeFrom(input, `${own}.counts`, 4)), [
    '{"key":"/b"} 1',
    '{"key":"/a"} 1',
    '{"key":"/b"} 2',
    '{"key":"/a"} 2',
  ])
  t.same(told(await takeFrom(input, `${own}.named`, 1)), ['{"id":7} {"id":7,"name":"Ada"}'])
  await first.stop()
  await write([own, 'customers', [++number, 1, 'Eve']], [own, 'clicks', [number, 9, '/a']])
  const second = runShop(openLogIn(path, bootstrap, own), own)
  t.equal(told(await takeFrom(input, `${own}.named`, 2)).at(-1), '{"id":7} {"id":7,"name":"Eve"}')
  await second.stop()
  // Without its directory it is the same, from the changelog.
  await write([own, 'clicks', [++number, 9, '/b']])
  const third = runShop(openLogIn(directoryOf(t), bootstrap, own), own)
  t.same(told(await takeFrom(input, `${own}.counts`, 6)).slice(-2), [
    '{"key":"/a"} 3',
    '{"key":"/b"} 3',
  ])
  await third.stop()
  // Another definition tells all again.
  const log = openLogIn(directoryOf(t), bootstrap, own)
  const fourth = runShop(log, own, shopTopology(own, { wanted: ({ page }) => page === '/a' }))
  const all = await takeFrom(input, `${own}.counts`, 9)
  t.same(told(all).slice(-3), ['{"key":"/a"} 1', '{"key":"/a"} 2', '{"key":"/a"} 3'])
  t.ok(growsAlongKeys(all))
  await fourth.stop()
  await input.close()
})

for (const tasks of [1, 3, 4]) {
  t.test(`topics of three partitions, read by tasks: ${tasks}`, async (t) => {
    const own = `${prefix}b${tasks}`
    const open = () => openLogIn(directoryOf(t), bootstrap, own, { partitions: 3 })
    const log = open()
    const writer = log.writer(`${own}.w`)
    await writer.resume('s')
    const clicks = Array.from({ length: 60 }, (_, i) => {
      return shopRecord(own, 'clicks', [i + 1, i, `/${i % 5}`])
    })
    const customers = Array.from({ length: 9 }, (_, i) => {
      return shopRecord(own, 'customers', [61, i, `c${i}`])
    })
    const orders = Array.from({ length: 20 }, (_, i) => shopRecord(own, 'orders', [62, i, i % 9]))
    await append(writer, [...clicks, ...customers, ...orders], '1')
    const running = runShop(open(), own, shopTopology(own, { tasks }))
    const counts = await takeFrom(log, `${own}.counts`, 60)
    t.equal(new Set(counts.map(({ partition }) => partition)).size > 1, true)
    const wanted = clicks.map((_, i) => `{"key":"/${i % 5}"} ${1 + Math.floor(i / 5)}`)
    t.same(told(counts).sort(), wanted.sort())
    t.ok(growsAlongKeys(counts))
    const named = orders.map((_, i) => `{"id":${i}} {"id":${i},"name":"c${i % 9}"}`)
    t.same(told(await takeFrom(log, `${own}.named`, 20)).sort(), named.sort())
    const renamed = [
      shopRecord(own, 'customers', [63, 2, 'New']),
      shopRecord(own, 'orders', [63, 3, 4]),
    ]
    await append(writer, renamed, '2')
    const last = told(await takeFrom(log, `${own}.named`, 23)).filter((row) => !named.includes(row))
    t.same(last.toSorted(), [
      '{"id":11} {"id":11,"name":"New"}',
      '{"id":2} {"id":2,"name":"New"}',
      '{"id":3} {"id":3,"name":"c4"}',
    ])
    await running.stop()
    await log.close()
  })
}

for (const tasks of [1, 3]) {
  t.test(`timers of the clock come due in two instances; tasks: ${tasks}`, async (t) => {
    const own = `${prefix}t${tasks}`
    const open = () => openLogIn(directoryOf(t), bootstrap, own)
    const [log, one, two] = [open(), open(), open()]
    const reminders = defineTopology(
      ({ stream }) => {
        stream<{ page: string }, number>(`${own}.clicks`)
          .process<string, number>({
            process: ({ key }, { setTimer }) => setTimer(key, Date.now() + 300, 'wall'),
            onTimer: ({ name }, { forward }) => forward({ key: Number(name), value: 'due' }),
          })
          .to(`${own}.reminders`)
      },
      { partitions: tasks },
    )
    const running = [one, two].map((each) => {
      return runShop(each, own, new StreamTopology('reminders', reminders))
    })
    const group = tasks === 1 ? `${own}.reminders` : `${own}.reminders.${tasks}`
    const hasAll = (each: KafkaLog) => {
      const replicas = each.replicas(group)
      const numbers = Array.from({ length: tasks }, (_, number) => number)
      return numbers.every((number) => replicas.replica(number) !== undefined)
    }
    await until(() => hasAll(one) && hasAll(two))
    const writer = log.writer(`${own}.w`)
    await writer.resume('s')
    const clicks = Array.from({ length: 12 }, (_, i) => shopRecord(own, 'clicks', [i + 1, i, '/']))
    await append(writer, clicks, '1')
    const found = told(await takeFrom(log, `${own}.reminders`, 12))
    t.same(found.sort(), clicks.map((_, i) => `{"key":${i}} "due"`).sort())
    await Promise.all(running.map((each) => each.stop()))
    await log.close()
  })
}

function growsAlongKeys(records: readonly LogRecord[]): boolean {
  const versions = new Map<string, bigint>()
  return records.every(({ key, version }) => {
    const before = versions.get(String(key)) ?? 0n
    versions.set(String(key), version)
    return version > before
  })
}

import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import t from 'tap'
import type { Assignment } from '../../../src/core/log.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Batch, Position } from '../../../src/core/source.ts'
import { Producer } from '../../../src/log/kafka/producer.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, batchOf, change, firstAssignment, take, texts, until } from './change.ts'
import { openLog } from './open.ts'

const { bootstrap, prefix } = await useKafka(t)
const access = { brokers: bootstrap.split(','), clientId: 'test', requestTimeoutMs: 10_000 }
const forever = new AbortController().signal
const checkpoint = (position: string) => ({
  ...{ source: 's', position: position as Position, timestamp: 0 },
})

t.test('a writer that was paused is fenced by the one that took over', async (t) => {
  const topic = `${prefix}.fenced`
  const log = openLog(bootstrap, prefix)
  const zombie = log.writer(`${prefix}.w1`)
  await zombie.resume('s')
  await append(zombie, [change(topic, 0)], 'p0')
  await zombie.write(batchOf([change(topic, 1)]))
  const next = log.writer(`${prefix}.w1`)
  t.equal(await next.resume('s'), 'p0')
  await append(next, [change(topic, 2)], 'p2')
  await t.rejects(zombie.commit(checkpoint('p1')), { code: 'WRITER_FENCED' })
  t.same(texts(await take(log.reader([topic], 'r'), 2)), ['{"n":0}', '{"n":2}'])
  await log.close()
})

t.test('a standby that read the position too early starts again from the true one', async (t) => {
  const topic = `${prefix}.standby`
  const log = openLog(bootstrap, prefix)
  const active = log.writer(`${prefix}.w2`)
  await active.resume('s')
  await append(active, [change(topic, 0)], 'p0')
  const standby = log.writer(`${prefix}.w2`)
  t.equal(await standby.resume('s'), 'p0')
  await append(active, [change(topic, 1)], 'p1')
  await t.rejects(standby.write(batchOf([change(topic, 1)])), { code: 'WRITER_FENCED' })
  t.equal(await standby.resume('s'), 'p1')
  await append(standby, [change(topic, 2)], 'p2')
  t.same(texts(await take(log.reader([topic], 'r'), 3)), ['{"n":0}', '{"n":1}', '{"n":2}'])
  await log.close()
})

t.test('what a dead writer left open is aborted, and readers never see it', async (t) => {
  const topic = `${prefix}.dead`
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.w3`)
  await writer.resume('s')
  await append(writer, [change(topic, 0)], 'p0')
  const options = { access, transactionTimeoutMs: 60_000, compression: 'none' } as const
  const dead = await Producer.open({ ...options, transactionalId: `${prefix}.w3` })
  dead.add(topic, 0, { key: null, value: Buffer.from('lost'), timestamp: 0 })
  await dead.flush()
  await dead.close()
  const next = log.writer(`${prefix}.w3`)
  await next.resume('s')
  await append(next, [change(topic, 1)], 'p1')
  t.same(texts(await take(log.reader([topic], 'r'), 2)), ['{"n":0}', '{"n":1}'])
  await log.close()
})

t.test('a reader comes to the end although the last that was written was aborted', async (t) => {
  const topic = `${prefix}.aborted`
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.w10`)
  await writer.resume('s')
  const text = 'x'.repeat(700_000)
  const large = (n: number) => change(topic, n, { value: Buffer.from(`${n} ${text}`) })
  await append(writer, [large(0), large(1), large(2)], 'p0')
  await writer.write(batchOf(Array.from({ length: 9 }, (_, i) => large(3 + i))))
  await writer.resume('s') // What was sent already is open until somebody takes over.
  await append(writer, [change(`${topic}.other`, 0)], 'p1')
  let last: Batch<LogRecord> | undefined
  let seen = 0
  for await (const batch of log.reader([topic], 'r').read(undefined, forever)) {
    seen += batch.records.length
    last = batch
    if (batch.atEnd) break
  }
  t.equal(seen, 3)
  t.match(last, { complete: true, atEnd: true })
  t.equal(await log.reader([topic], 'r').knows(last!.position), true)
  await log.close()
})

t.test('partitions move to a second member and back, and none is read by two', async () => {
  const topic = `${prefix}.moves`
  const given = { partitions: 4, sessionTimeoutMs: 6_000 }
  const [one, two] = [openLog(bootstrap, prefix, given), openLog(bootstrap, prefix, given)]
  const owners = new Map<number, Set<string>>()
  const stop = { one: new AbortController(), two: new AbortController() }
  const member = async (name: 'one' | 'two') => {
    const log = name === 'one' ? one : two
    for await (const found of log.assignments([topic], `${prefix}.g1`, stop[name].signal)) {
      void own(found, name, owners)
    }
  }
  const counts = () => [...owners.values()].flatMap((set) => [...set])
  const share = (name: string) => counts().filter((each) => each === name).length
  const first = member('one')
  await until(() => share('one') === 4)
  const second = member('two')
  await until(
    () => share('one') === 2 && share('two') === 2,
    () => counts().join(),
  )
  stop.two.abort()
  await second
  await until(
    () => share('one') === 4,
    () => counts().join(),
  )
  stop.one.abort()
  await first
  await Promise.all([one.close(), two.close()])
})

/** Notes who reads a partition, and takes its time to stop. */
async function own(found: Assignment, name: string, owners: Map<number, Set<string>>) {
  const readers = owners.get(found.partition) ?? new Set()
  owners.set(found.partition, readers)
  if (readers.size > 0) throw new Error(`${found.partition} is read by ${[...readers]} and ${name}`)
  readers.add(name)
  await new Promise((resolve) => found.signal.addEventListener('abort', resolve))
  await sleep(100)
  readers.delete(name)
  found.release?.()
}

t.test('keys keep their partition, and each partition its commits', async (t) => {
  const topic = `${prefix}.spread`
  const log = openLog(bootstrap, prefix, { partitions: 3 })
  const writer = log.writer(`${prefix}.w4`)
  await writer.resume('s')
  const records = Array.from({ length: 30 }, (_, i) =>
    change(topic, i, {
      version: BigInt(1 + Math.floor(i / 10)),
      ordinal: i % 10,
      endsCommit: false,
    }),
  )
  await append(writer, records, 'p')
  const found: LogRecord[] = []
  for await (const record of log.tap(topic, 'beginning', new AbortController().signal)) {
    if (found.push(record) === 30) break
  }
  const lanes = Map.groupBy(found, ({ partition }) => partition)
  t.equal(lanes.size, 3)
  for (const lane of lanes.values()) {
    for (const [i, { version, endsCommit }] of lane.entries()) {
      t.equal(endsCommit, lane[i + 1]?.version !== version)
    }
  }
  await log.close()
})

t.test('a partition shows its part of a large commit though the end lies in another', async (t) => {
  const topic = `${prefix}.parts`
  const given = { partitions: 3 }
  const record = (n: number) => change(topic, n, { version: 7n, ordinal: n, endsCommit: false })
  const part = Array.from({ length: 30 }, (_, i) => record(i))
  for (const restarts of [false, true]) {
    const one = openLog(bootstrap, prefix, given)
    const writer = one.writer(`${prefix}.w11`)
    await writer.resume('s')
    await writer.write(batchOf(part, false))
    await writer.commit(checkpoint('inside'))
    const two = restarts ? openLog(bootstrap, prefix, given) : one
    const next = restarts ? two.writer(`${prefix}.w11`) : writer
    if (restarts) t.equal(await next.resume('s'), 'inside')
    await append(next, [record(30)], 'behind')
    const found: LogRecord[] = []
    for await (const each of two.tap(topic, 'beginning', forever)) {
      if (found.push(each) === (restarts ? 62 : 31)) break
    }
    t.equal(new Set(found.map(({ partition }) => partition)).size, 3)
    await Promise.all([one.close(), two.close()])
  }
})

t.test('a task that goes on elsewhere knows which partitions wait for an end', async (t) => {
  const [topic, out] = [`${prefix}.large-in`, `${prefix}.large-out`]
  const given = { topics: { [out]: { partitions: 3 } } }
  const record = (n: number) => change(out, n, { version: 7n, ordinal: n, endsCommit: false })
  const one = openLog(bootstrap, prefix, given)
  const task = (await firstAssignment(one, [topic], `${prefix}.g7`)).task(`${prefix}.t7`)
  await task.resume('s')
  await task.write(
    batchOf(
      Array.from({ length: 30 }, (_, i) => record(i)),
      false,
    ),
  )
  await task.commit(checkpoint('inside'))
  await one.close()
  const two = openLog(bootstrap, prefix, given)
  const next = (await firstAssignment(two, [topic], `${prefix}.g7`)).task(`${prefix}.t7`)
  t.equal(await next.resume('s'), 'inside')
  await next.write(batchOf([record(30)]))
  await next.commit(checkpoint('behind'))
  const found: LogRecord[] = []
  for await (const each of two.tap(out, 'beginning', forever)) if (found.push(each) === 31) break
  t.equal(new Set(found.map(({ partition }) => partition)).size, 3)
  await two.close()
})

t.test('the group shows how far a task is, and its state follows to another machine', async (t) => {
  const [topic, out] = [`${prefix}.in`, `${prefix}.out`]
  const one = openLog(bootstrap, prefix)
  const writer = one.writer(`${prefix}.w5`)
  await writer.resume('s')
  await append(writer, [change(topic, 0), change(topic, 1)], 'p')
  const first = await firstAssignment(one, [topic], `${prefix}.g2`)
  const task = first.task(`${prefix}.t1`)
  await task.resume('s')
  let position = '' as Position
  for await (const batch of first.source.read(undefined, new AbortController().signal)) {
    position = batch.position
    break
  }
  task.store.put(Buffer.from('k'), Buffer.from('v'))
  await task.write(batchOf([change(out, 0)]))
  await task.commit({ source: 's', position, timestamp: 0 })
  const { groups, topics } = await one.describe()
  t.ok(groups[0]!.sequence >= 2n, 'offsets are committed with the outputs')
  t.equal(topics.find((each) => each.topic === topic)!.partitions[0]!.end, 3n)
  t.equal((await one.ends([topic], 0)).get(topic), 2n, 'a marker is no record')
  await one.close()
  const two = openLog(bootstrap, prefix)
  const again = (await firstAssignment(two, [topic], `${prefix}.g2`)).task(`${prefix}.t1`)
  t.equal(await again.resume('s'), position)
  t.equal(Buffer.from(again.store.get(Buffer.from('k'))!).toString(), 'v')
  await two.close()
})

t.test('at least once, a task is no further than what it has written', async (t) => {
  const [topic, out] = [`${prefix}.once-in`, `${prefix}.once-out`]
  const log = openLog(bootstrap, prefix, { delivery: 'at-least-once' })
  const task = (await firstAssignment(log, [topic], `${prefix}.g8`)).task(`${prefix}.t8`)
  await task.resume('s')
  await task.write(batchOf([change(out, 0, { value: Buffer.alloc(2_000_000) })]))
  await t.rejects(task.commit(checkpoint('p')), { code: 'RECORD_TOO_LARGE' })
  t.equal(await task.resume('s'), undefined)
  await task.write(batchOf([change(out, 1)]))
  await task.commit(checkpoint('p'))
  t.equal(await task.resume('s'), 'p')
  t.same(texts(await take(log.reader([out], 'r'), 1)), ['{"n":1}'])
  await log.close()
})

t.test('a task that has lost its partition commits nothing', async (t) => {
  const topic = `${prefix}.lost`
  const [one, two] = [openLog(bootstrap, prefix), openLog(bootstrap, prefix)]
  const held = (await firstAssignment(one, [topic], `${prefix}.g3`)).task(`${prefix}.t2`)
  await held.resume('s')
  const taken = (await firstAssignment(two, [topic], `${prefix}.g4`)).task(`${prefix}.t2`)
  await taken.resume('s')
  await held.write(batchOf([change(`${prefix}.lost-out`, 0)]))
  await t.rejects(held.commit(checkpoint('p')), { code: 'WRITER_FENCED' })
  await Promise.all([one.close(), two.close()])
})

t.test('a topic that was made anew, or is shorter, is not taken for the old one', async (t) => {
  const topic = `${prefix}.anew`
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.w6`)
  await writer.resume('s')
  await append(writer, [change(topic, 0)], 'p')
  const source = log.reader([topic], 'r')
  let position = '' as Position
  for await (const batch of source.read(undefined, new AbortController().signal)) {
    position = batch.position
    break
  }
  t.equal(await source.knows(position), true)
  const far = JSON.parse(position)
  far.topics[topic][1] = 99
  t.equal(await source.knows(JSON.stringify(far) as Position), false, 'past the end')
  far.topics[topic] = ['00000000-0000-0000-0000-000000000001', 0]
  t.equal(await source.knows(JSON.stringify(far) as Position), false, 'another topic')
  t.equal(await source.knows(JSON.stringify({ ...far, cluster: 'x' }) as Position), false)
  await log.close()
})

t.test('records that were removed before they were read are a gap, and told as such', async (t) => {
  const topic = `${prefix}.gap`
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.w7`)
  await writer.resume('s')
  await append(writer, [change(topic, 0)], 'p0')
  const source = log.reader([topic], 'r')
  let position = '' as Position
  for await (const batch of source.read(undefined, new AbortController().signal)) {
    position = batch.position
    break
  }
  await append(writer, [change(topic, 1), change(topic, 2)], 'p1')
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: bootstrap.split(',') })
  const partitions = [{ partition: 0, offset: 4n }]
  await admin.deleteRecords({ topics: [{ name: topic, partitions }] })
  await admin.close()
  await t.rejects(take(source, 1, position), { code: 'LOG_GAP' })
  await log.close()
})

t.test(
  'a record that the topic does not take stops the writer, and says how to go on',
  async (t) => {
    const topic = `${prefix}.large`
    const log = openLog(bootstrap, prefix)
    const writer = log.writer(`${prefix}.w8`)
    await writer.resume('s')
    const large = change(topic, 0, { value: Buffer.alloc(2_000_000) })
    await t.rejects(append(writer, [large], 'p'), { code: 'RECORD_TOO_LARGE' })
    await log.close()
  },
)

t.test('a truncate reaches every partition', async (t) => {
  const topic = `${prefix}.truncate`
  const log = openLog(bootstrap, prefix, { partitions: 3 })
  const writer = log.writer(`${prefix}.w9`)
  await writer.resume('s')
  const value = Buffer.from('{"before":null,"after":null,"op":"t"}')
  await append(writer, [change(topic, 0, { key: null, value })], 'p')
  for (const partition of [0, 1, 2]) {
    const [found] = await take(log.reader([topic], 'r', partition), 1)
    t.match(found, { key: null, endsCommit: true })
  }
  await log.close()
})

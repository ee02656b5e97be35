import { type Test, test } from 'tap'
import type { Assignment, Log } from '../../src/core/log.ts'
import type { LogRecord, NewRecord } from '../../src/core/record.ts'
import type { Checkpoint } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'

export interface LogUnderTest {
  readonly log: Log
  /** Closes the log and opens it again with the same data. */
  reopen(): Promise<Log>
  close(): Promise<void>
}

/** What every log promises, whatever it is made of. Call it once per log. */
export function logContract(name: string, open: () => Promise<LogUnderTest>): void {
  const promise = (what: string, check: (under: LogUnderTest, t: Test) => Promise<void>) =>
    test(`${name} ${what}`, async (t) => {
      const under = await open()
      t.teardown(() => under.close())
      await check(under, t)
    })
  keepsRecords(promise)
  keepsCommitsWhole(promise)
  servesReaders(promise)
  keepsTasks(promise)
}

type Promises = (what: string, check: (under: LogUnderTest, t: Test) => Promise<void>) => void

function keepsRecords(promise: Promises): void {
  promise('gives back what was written, byte for byte and in order', async ({ log }, t) => {
    const records = [
      record({ topic: 'a', key: '1', value: '{"x":"é"}', headers: { h: 'v' } }),
      record({ topic: 'a', key: null, value: '' }),
      record({ topic: 'a', key: '2', value: null, endsCommit: true }),
    ]
    await append(log, records)
    const found = await readRecords(log, ['a'], 3)
    t.same(found.map(plain), records.map(plain))
    t.same(
      found.map(({ offset }) => offset),
      [0n, 1n, 2n],
    )
  })

  promise('keeps the position of a source with its records', async ({ log, reopen }, t) => {
    t.equal(await log.writer('w').resume('s'), undefined)
    await append(log, [record({})], { position: 'p1' })
    t.equal(await log.writer('w').resume('s'), 'p1')
    const again = await reopen()
    t.equal(await again.writer('w').resume('s'), 'p1')
    t.equal((await read(again, ['a'], 1))[0]!.records.length, 1)
  })

  promise('forgets what was written but not committed', async ({ log }, t) => {
    const writer = log.writer('w')
    await writer.resume('s')
    await writer.write(batch([record({ value: 'lost' })]))
    await writer.resume('s')
    await writer.write(batch([record({ value: 'kept', version: 2n })]))
    await writer.commit(checkpoint('p'))
    const [first] = await read(log, ['a'], 1)
    t.same(values(first!), ['kept'])
  })

  promise('merges topics in the order of their commits', async ({ log }, t) => {
    await append(log, [
      record({ topic: 'a', value: 'a1', version: 1n, ordinal: 0 }),
      record({ topic: 'b', value: 'b1', version: 1n, ordinal: 1 }),
      record({ topic: 'a', value: 'a2', version: 1n, ordinal: 2 }),
      record({ topic: 'b', value: 'b2', version: 2n, ordinal: 0 }),
      record({ topic: 'a', value: 'a3', version: 3n, ordinal: 0 }),
    ])
    const records = await readRecords(log, ['a', 'b'], 5)
    t.same(values({ records }), ['a1', 'b1', 'a2', 'b2', 'a3'])
    const sequences = records.map(({ sequence }) => sequence)
    t.equal(sequences[0], sequences[2], 'one commit, one sequence')
    t.ok(sequences[2]! < sequences[3]! && sequences[3]! < sequences[4]!)
  })
}

function keepsCommitsWhole(promise: Promises): void {
  promise('shows a commit that comes in parts only when it is whole', async ({ log }, t) => {
    await append(log, [record({ value: 'before', version: 1n })])
    const writer = log.writer('w')
    await writer.resume('s')
    await writer.write(batch([record({ value: 'part 1', version: 2n })], false))
    await writer.commit(checkpoint('inside'))
    t.same(values((await read(log, ['a'], 1))[0]!), ['before'])
    await writer.write(batch([record({ value: 'part 2', version: 2n, ordinal: 1 })]))
    await writer.commit(checkpoint('behind'))
    const records = await readRecords(log, ['a'], 3)
    t.same(values({ records }), ['before', 'part 1', 'part 2'])
    t.equal(records[1]!.sequence, records[2]!.sequence)
  })

  promise('finishes after a restart the commit that was cut off', async ({ log, reopen }, t) => {
    const writer = log.writer('w')
    await writer.resume('s')
    await writer.write(batch([record({ value: 'part 1', version: 2n })], false))
    await writer.commit(checkpoint('inside'))
    const again = await reopen()
    await append(again, [record({ topic: 'other', value: 'o', version: 9n })], { writer: 'w2' })
    const resumed = again.writer('w')
    t.equal(await resumed.resume('s'), 'inside')
    await resumed.write(batch([record({ value: 'part 2', version: 2n, ordinal: 1 })]))
    await resumed.commit(checkpoint('behind'))
    const records = await readRecords(again, ['a'], 2)
    t.same(values({ records }), ['part 1', 'part 2'])
    t.equal(records[0]!.sequence, records[1]!.sequence)
  })

  promise('an unfinished commit holds up nobody who reads other topics', async ({ log }, t) => {
    const writer = log.writer('slow')
    await writer.resume('s')
    await writer.write(batch([record({ topic: 'slow', version: 2n })], false))
    await writer.commit(checkpoint('inside'))
    await append(log, [record({ topic: 'fast', value: 'f', version: 9n })])
    t.same(values((await read(log, ['fast'], 1))[0]!), ['f'])
  })
}

function servesReaders(promise: Promises): void {
  promise('goes on from any position, also inside a giant commit', async ({ log, reopen }, t) => {
    const text = 'x'.repeat(400_000)
    const writer = log.writer('w')
    await writer.resume('s')
    const parts = Array.from({ length: 40 }, (_, i) =>
      record({ value: `${i} ${text}`, version: 5n, ordinal: i }),
    )
    await writer.write(batch(parts))
    await writer.commit(checkpoint('p'))
    await append(log, [record({ value: 'after', version: 6n })])
    const batches = await read(log, ['a'], 41)
    t.ok(batches.length > 2, 'the commit came in parts')
    t.ok(
      batches.some(({ complete }) => !complete),
      'parts are not complete',
    )
    const again = await reopen()
    let seen = 0
    for (const { records, position } of batches) {
      seen += records.length
      if (seen === 41) break
      const [next] = await read(again, ['a'], 1, position)
      t.equal(first(next!), first({ records: batches.flatMap((b) => b.records).slice(seen) }))
    }
  })

  promise('says with the last batch that nothing more is there', async ({ log }, t) => {
    const text = 'x'.repeat(400_000)
    const records = Array.from({ length: 12 }, (_, i) =>
      record({ value: `${i} ${text}`, version: BigInt(i + 1) }),
    )
    await append(log, records)
    const source = await sourceOf(log, ['a'])
    const batches: Batch<LogRecord>[] = []
    for await (const found of source.read(undefined, new AbortController().signal)) {
      batches.push(found)
      if (found.atEnd) break
    }
    t.ok(batches.length > 1)
    t.equal(batches.flatMap(({ records }) => records).length, 12)
    t.ok(batches.slice(0, -1).every(({ atEnd }) => atEnd === false))
  })

  promise('wakes a reader that waits', async ({ log }, t) => {
    const waiting = read(log, ['later'], 1)
    await append(log, [record({ topic: 'later', value: 'came' })])
    t.same(values((await waiting)[0]!), ['came'])
  })

  promise('ends a waiting read when the signal aborts', async ({ log }, t) => {
    const stop = new AbortController()
    const ended = (async () => {
      for await (const { source } of log.assignments(['none'], 'g', stop.signal)) {
        for await (const _ of source.read(undefined, stop.signal)) t.fail('nothing was written')
      }
    })()
    stop.abort()
    await ended
    t.pass('it ended')
  })

  promise('knows its own positions and no others', async ({ log, reopen }, t) => {
    await append(log, [record({})])
    const source = await sourceOf(log, ['a'])
    const [{ position }] = (await read(log, ['a'], 1)) as [Batch<LogRecord>]
    t.equal(await source.knows(position), true)
    t.equal(await source.knows('nonsense' as Position), false)
    t.equal(await source.knows('0123456789abcdef:1:0' as Position), false)
    const again = await reopen()
    t.equal(await (await sourceOf(again, ['a'])).knows(position), true)
  })
}

function keepsTasks(promise: Promises): void {
  promise('keeps state, outputs and position of a task together', async ({ log, reopen }, t) => {
    const task = await taskOf(log)
    await task.resume('s')
    task.store.put(bytes('k1'), bytes('v1'))
    task.store.put(bytes('k2'), bytes('v2'))
    t.same(scan(task.store, 'k'), ['k1=v1', 'k2=v2'], 'reads see writes at once')
    await task.write(batch([record({ topic: 'out', value: 'o1' })]))
    await task.commit(checkpoint('p1'))
    task.store.delete(bytes('k1'))
    task.store.put(bytes('k0'), bytes('v0'))
    t.same(scan(task.store, 'k'), ['k0=v0', 'k2=v2'])
    await task.resume('s')
    t.same(scan(task.store, 'k'), ['k1=v1', 'k2=v2'], 'uncommitted state is dropped')
    const again = await taskOf(await reopen())
    t.equal(await again.resume('s'), 'p1')
    t.same(scan(again.store, ''), ['k1=v1', 'k2=v2'])
    await again.clear('s')
    t.same(scan(again.store, ''), [])
    t.equal(await again.resume('s'), undefined)
  })

  promise('keeps a dead letter once, with its bytes and its reason', async ({ log }, t) => {
    await append(log, [record({ key: 'k', value: 'bad' }), record({ value: 'good', version: 2n })])
    const records = await readRecords(log, ['a'], 2)
    const letters = [{ record: records[0]!, code: 'mapping', reason: 'no number' }]
    await log.deadLetters('p.sink')(letters)
    await log.deadLetters('p.sink')(letters)
    await log.deadLetters('p.other')(letters)
    const dead = await readRecords(log, ['a.dlq'], 2)
    t.same(values({ records: dead }), ['bad', 'bad'])
    const { headers } = dead[0]!
    t.equal(headers?.['__connect.errors.exception.message'], 'no number')
    t.equal(headers?.['__connect.errors.offset'], '0')
    t.equal(headers?.['__connect.errors.connector.name'], 'p.sink')
  })
}

function record(parts: {
  topic?: string
  key?: string | null
  value?: string | null
  version?: bigint
  ordinal?: number
  endsCommit?: boolean
  headers?: Record<string, string>
}): NewRecord {
  const { topic = 'a', key = 'k', value = 'v', version = 1n, ordinal = 0 } = parts
  return {
    topic,
    key: key === null ? null : bytes(key),
    value: value === null ? null : bytes(value),
    timestamp: 1_700_000_000_000 + Number(version % 1000n),
    version,
    ordinal,
    endsCommit: parts.endsCommit ?? false,
    headers: parts.headers,
  }
}

function bytes(text: string): Buffer {
  return Buffer.from(text)
}

function plain({ topic, key, value, version, ordinal, endsCommit, headers, timestamp }: NewRecord) {
  const text = (part: Uint8Array | null) => part && Buffer.from(part).toString()
  return {
    ...{ topic, version, ordinal, endsCommit, timestamp, headers: headers ?? null },
    ...{ key: text(key), value: text(value) },
  }
}

function batch(records: readonly NewRecord[], complete = true): Batch<NewRecord> {
  return { records, position: 'unused' as Position, complete }
}

function checkpoint(position: string): Checkpoint {
  return { source: 's', position: position as Position, timestamp: 0 }
}

async function append(
  log: Log,
  records: readonly NewRecord[],
  { position = 'p', writer = 'w' } = {},
): Promise<void> {
  const sink = log.writer(writer)
  await sink.resume('s')
  await sink.write(batch(records))
  await sink.commit(checkpoint(position))
}

/** The only one there is, of a group of its own; it stands until the log is closed. */
async function assignmentOf(log: Log, topics: readonly string[]): Promise<Assignment> {
  const forever = new AbortController().signal
  const assignments = log.assignments(topics, `g${groups++}`, forever)[Symbol.asyncIterator]()
  const { value } = await assignments.next()
  if (value === undefined) throw new Error('no assignment')
  return value
}

let groups = 0

async function sourceOf(log: Log, topics: readonly string[]) {
  return (await assignmentOf(log, topics)).source
}

async function taskOf(log: Log) {
  return (await assignmentOf(log, ['a'])).task('t')
}

/** Reads until at least `count` records came. */
async function read(
  log: Log,
  topics: readonly string[],
  count: number,
  from?: Position,
): Promise<Batch<LogRecord>[]> {
  const source = await sourceOf(log, topics)
  const batches: Batch<LogRecord>[] = []
  const stop = new AbortController()
  let seen = 0
  for await (const found of source.read(from, stop.signal)) {
    batches.push(found)
    seen += found.records.length
    if (seen >= count) break
  }
  return batches
}

/** The same, without saying how they came; a log may show what is there bit by bit. */
async function readRecords(log: Log, topics: readonly string[], count: number) {
  return (await read(log, topics, count)).flatMap(({ records }) => records)
}

function values({ records }: { readonly records: readonly LogRecord[] }): string[] {
  return records.map(({ value }) => Buffer.from(value ?? []).toString())
}

function first({ records }: { readonly records: readonly LogRecord[] }): string {
  return values({ records: records.slice(0, 1) })[0]!.slice(0, 20)
}

function scan(
  store: { scan(prefix: Uint8Array): Iterable<readonly [Uint8Array, Uint8Array]> },
  prefix: string,
) {
  return [...store.scan(bytes(prefix))].map(
    ([key, value]) => `${Buffer.from(key).toString()}=${Buffer.from(value).toString()}`,
  )
}

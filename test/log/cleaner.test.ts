import { test } from 'tap'
import { keepAll, type TopicPolicy } from '../../src/core/topic-policy.ts'
import { clean } from '../../src/log/cleaner.ts'
import { compact } from '../../src/log/compaction.ts'
import type { EmbeddedLog } from '../../src/log/embedded.ts'
import { storedGroups } from '../../src/log/groups.ts'
import { Pace } from '../../src/log/pace.ts'
import { encodePosition, startOf } from '../../src/log/position.ts'
import { ReadOnlyLog } from '../../src/log/read-only.ts'
import { recordAt, scanTopic } from '../../src/log/scan.ts'
import { collect } from '../support/collect.ts'
import { note, put, tombstone } from '../support/records.ts'
import { all, append, openFor } from './logs.ts'

const topic = 'orders'
const dayMs = 24 * 3600_000

test('what is older than the policy goes, and readers begin at what is left', async (t) => {
  const { log, reopen } = await openFor(t)
  await write(log, [old(1), old(2), fresh(3), fresh(4)])
  await tidy(log, { retentionMs: 7 * dayMs })
  t.same(await versions(log), ['3', '4'])
  const [info] = (await log.describe()).topics
  t.same(info?.partitions, [{ start: 2n, end: 4n }])
  const again = await reopen()
  t.same((await again.describe()).topics[0]?.partitions, [{ start: 2n, end: 4n }])
  t.same(await read(again, undefined, 2), ['3', '4'])
})

test('a topic that is too large loses its oldest records, but never its last block', async (t) => {
  const { log } = await openFor(t)
  await write(log, [fresh(1), fresh(2), fresh(3), fresh(4)])
  const each = log.lanes.get(topic)!.bytes / 4
  await tidy(log, { retentionBytes: 2.5 * each })
  t.same(await versions(log), ['3', '4'])
  await tidy(log, { retentionBytes: 0 })
  t.same(await versions(log), ['4'])
})

test('nothing goes that a registered group has not read', async (t) => {
  const { log, reopen } = await openFor(t)
  await write(log, [old(1), old(2), old(3), old(4)])
  await join(log, 'group')
  await tidy(log, { retentionMs: dayMs })
  t.same(await versions(log), ['1', '2', '3', '4'], 'it has not begun')
  log.keepGroup('group', positionOf(log, 3))
  await tidy(log, { retentionMs: dayMs })
  t.same(await versions(log), ['3', '4'])
  const again = await reopen()
  await tidy(again, { retentionMs: dayMs })
  t.same(await versions(again), ['3', '4'], 'also after a restart, while it is not there')
})

test('a group that was not seen for a week is forgotten, and holds nothing up', async (t) => {
  const { log, reopen } = await openFor(t)
  await write(log, [old(1), old(2)])
  const seenAt = Date.now() - 8 * dayMs
  const group = { position: positionOf(log, 1), topics: [topic], seenAt }
  await log.environment.groups.put('gone', Buffer.from(JSON.stringify(group)))
  const again = await reopen()
  const said = await tidy(again, { retentionMs: dayMs })
  t.same(said, ['the group gone was not seen for a week and is forgotten'])
  t.same(await versions(again), ['2'])
  t.same([...storedGroups(again.environment)], [])
})

test('beyond the cap a group loses what it has not read, and is told', async (t) => {
  const { log } = await openFor(t)
  await write(log, [fresh(1), fresh(2), fresh(3)])
  await join(log, 'slow')
  const position = positionOf(log, 2)
  log.keepGroup('slow', position)
  const said = await tidy(log, {}, 1)
  t.match(said, [
    /has reached its cap: slow has lost records of orders that it had not read/,
    /holds more than its cap of 1 bytes/,
  ])
  t.same(await versions(log), ['3'])
  await t.rejects(read(log, position, 1), {
    code: 'LOG_GAP',
    message: /^orders was to be read on from sequence 2, but some of its records below 3 were/,
  })
  t.same(await read(log, undefined, 1), ['3'], 'from the beginning there is no gap')
  t.same(await read(log, positionOf(log, 3), 1), ['3'])
})

test('beyond the cap groups that no configuration has go first', async (t) => {
  const { log, reopen } = await openFor(t)
  await write(log, [old(1), old(2), fresh(3)])
  await join(log, 'left')
  const again = await reopen()
  const said = await tidy(again, { retentionMs: dayMs }, 1)
  t.match(said[0], /cap: the group left, which is not configured, is forgotten/)
})

test('a reader at work is told when what it was about to read goes', async (t) => {
  const { log } = await openFor(t)
  await write(
    log,
    Array.from({ length: 30 }, (_, i) => fresh(i + 1)),
  )
  const reader = scanTopic(log, topic, { end: log.head })
  await reader.next()
  await tidy(log, {}, 1)
  await t.rejects(collect(reader), { code: 'LOG_GAP', message: /removed meanwhile/ })
})

test('compaction leaves the newest record of each key where it was', async (t) => {
  const { log } = await openFor(t)
  await write(log, [put(1, { n: 1 }), put(2, { n: 2 }), put(1, { n: 3 }), put(3, { n: 4 })])
  await compactAll(log)
  const records = await all(log, topic)
  t.same(
    records.map(({ key, offset, sequence }) => [Buffer.from(key!).toString(), offset, sequence]),
    [
      ['{"id":2}', 1n, 2n],
      ['{"id":1}', 2n, 3n],
      ['{"id":3}', 3n, 4n],
    ],
  )
  t.equal(log.lanes.get(topic)!.start, 1)
})

test('a delete stays until it is old enough and every group has passed', async (t) => {
  const { log } = await openFor(t)
  await write(log, [put(1, {}), tombstone(1), put(2, {}), put(3, {})])
  await join(log, 'group')
  log.keepGroup('group', positionOf(log, 2))
  const forgetful = { deleteRetentionMs: 0 }
  for (const _ of [1, 2]) {
    await compactAll(log, forgetful)
    await write(log, [put(4, {}), put(4, {})])
  }
  t.same((await keys(log)).slice(0, 2), ['1 deleted', '2'], 'the group has yet to come to it')
  log.keepGroup('group', positionOf(log, 3))
  await compactAll(log, { deleteRetentionMs: Number.POSITIVE_INFINITY })
  t.same((await keys(log)).slice(0, 2), ['1 deleted', '2'], 'it is not old enough')
  await write(log, [put(4, {}), put(4, {})])
  await compactAll(log, forgetful)
  t.same((await keys(log)).slice(0, 1), ['2'])
  await t.rejects(read(log, positionOf(log, 1), 1), { code: 'LOG_GAP' })
})

test('a truncate takes the rows before it along, and goes in its turn', async (t) => {
  const { log } = await openFor(t)
  const truncate = note('t', { version: 2 })
  await write(log, [put(1, {}, { version: 1 }), truncate, put(2, {}, { version: 3 }), put(3, {})])
  await compactAll(log)
  t.same(await keys(log), ['truncate', '2', '3'])
  await write(log, [put(4, {}), put(4, {})])
  await compactAll(log, { deleteRetentionMs: 0 })
  t.same(await keys(log), ['2', '3', '4', '4'])
})

test('records younger than the compaction lag stay', async (t) => {
  const { log } = await openFor(t)
  await write(log, [old(1), old(1), fresh(1), fresh(1), fresh(1)].map(sameKey))
  await compactAll(log, { minCompactionLagMs: dayMs })
  t.equal((await all(log, topic)).length, 4)
})

test('a topic is compacted once half of it is new and old enough', async (t) => {
  const { log } = await openFor(t)
  const text = 'x'.repeat(600_000)
  const policy = { compacts: true, minCompactionLagMs: dayMs }
  const large = (made: Made, version: number) => {
    return { ...put(1, { text }, { timestamp: made.timestamp, version }) }
  }
  for (let i = 1; i <= 20; i++) await write(log, [large(i < 5 ? old(1) : fresh(1), i)])
  await tidy(log, policy)
  t.equal((await all(log, topic)).length, 20, 'most of it is too young')
  await tidy(log, { ...policy, minCompactionLagMs: 0 })
  t.equal(
    (await all(log, topic)).length,
    2,
    'the newest of all, and of those before the last block',
  )
  await write(log, [large(fresh(1), 21)])
  await tidy(log, { ...policy, minCompactionLagMs: 0 })
  t.equal((await all(log, topic)).length, 3, 'little of it is new')
})

test('whoever reads while blocks are joined misses nothing, here and in another process', async (t) => {
  const { log, path } = await openFor(t)
  await write(
    log,
    Array.from({ length: 400 }, (_, i) => put(i, { n: i })),
  )
  const other = new ReadOnlyLog(path)
  const readers = [0, 5, 17, 399].map((skipped) => ({
    skipped,
    readers: [log, other].map((each) => scanTopic(each, topic, { end: log.head })),
  }))
  const seen = new Map<unknown, number>()
  for (const { skipped, readers: both } of readers) {
    for (const reader of both) {
      for (let i = 0; i < skipped; i++) await reader.next()
      seen.set(reader, skipped)
    }
  }
  await compactAll(log)
  for (const [reader, skipped] of seen) {
    const rest = await collect(reader as ReturnType<typeof scanTopic>)
    t.equal(rest.length, 400 - skipped)
  }
  await other.close()
})

test('a record that nothing replaces is found at its place, also in a joined block', async (t) => {
  const { log } = await openFor(t)
  await write(
    log,
    Array.from({ length: 50 }, (_, i) => put(i, { n: i })),
  )
  await compactAll(log)
  for (const record of await all(log, topic)) {
    const { sequence, offset } = record
    t.same(recordAt(log, topic, { sequence: Number(sequence), offset }), record)
  }
})

type Made = ReturnType<typeof put>

function old(id: number): Made {
  return put(id, {}, { timestamp: Date.now() - 10 * dayMs, version: id })
}

function fresh(id: number): Made {
  return put(id, {}, { timestamp: Date.now() - 1, version: id })
}

function sameKey(record: Made, i: number): Made {
  return { ...record, key: put(1, {}).key, version: BigInt(i + 1) }
}

/** Each in a commit, a transaction and a block of its own. */
async function write(log: EmbeddedLog, records: readonly Made[]): Promise<void> {
  for (const record of records) await append(log, [record])
}

async function tidy(log: EmbeddedLog, policy: Partial<TopicPolicy>, capBytes = 1e12) {
  const said: string[] = []
  await clean(log, {
    policyOf: () => ({ ...keepAll, ...policy }),
    capBytes,
    say: (l) => said.push(l),
  })
  return said
}

async function compactAll(log: EmbeddedLog, policy: Partial<TopicPolicy> = {}): Promise<void> {
  await compact(log, log.lanes.get(topic)!, {
    policy: { ...keepAll, ...policy },
    pace: new Pace(),
  })
}

async function join(log: EmbeddedLog, group: string): Promise<void> {
  for await (const _ of log.assignments([topic], group, AbortSignal.abort())) return
}

function positionOf(log: EmbeddedLog, sequence: number) {
  return encodePosition({ start: startOf(log.history, sequence), sequence, ordinal: 0 })
}

async function versions(log: EmbeddedLog): Promise<string[]> {
  return (await all(log, topic)).map(({ version }) => String(version))
}

async function keys(log: EmbeddedLog): Promise<string[]> {
  return (await all(log, topic)).map(({ key, value }) => {
    if (key === null) return 'truncate'
    const { id } = JSON.parse(Buffer.from(key).toString()) as { id: number }
    return value === null ? `${id} deleted` : String(id)
  })
}

async function read(
  log: EmbeddedLog,
  from: Parameters<typeof log.keepGroup>[1] | undefined,
  count: number,
) {
  const seen: string[] = []
  for await (const { records } of log
    .reader([topic], 'r')
    .read(from, new AbortController().signal)) {
    seen.push(...records.map(({ version }: Made) => String(version)))
    if (seen.length >= count) break
  }
  return seen
}

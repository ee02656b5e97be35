import { test } from 'tap'
import type { PostgresPosition } from '../../../../connectors/postgres/position.ts'
import {
  comparePosition,
  type ServerState,
  type SlotState,
} from '../../../../connectors/postgres/slot/compare.ts'
import { parseHistory, sharedHistory } from '../../../../connectors/postgres/slot/timeline.ts'

const position: PostgresPosition = {
  ...{ systemId: '7', timeline: 1, slot: 's', tables: ['public.a'] },
  ...{ commit: 900n, ordinal: 3, held: [], commitEnd: 1000n, lastVersion: 900n },
}
const server: ServerState = {
  ...{ systemId: '7', timeline: 1, database: 'shop', history: [], walEnd: 5000n },
}
const slot: SlotState = {
  ...{ plugin: 'pgoutput', database: 'shop', activePid: null, confirmed: 800n },
  ...{ walStatus: 'reserved', invalidation: null, conflicting: false, failover: false },
}

const compare = (at: object, on: object, of: object | null = {}) =>
  comparePosition(
    { ...position, ...at },
    { ...server, ...on },
    of === null ? undefined : { ...slot, ...of },
  )
const forked = (lsn: bigint) => ({ timeline: 2, history: [{ timeline: 1, lsn }] })

test('a position between what the slot confirmed and the end of WAL is good', (t) => {
  t.strictSame(compare({}, {}), position)
  t.strictSame(compare({}, { walEnd: 1000n }, { confirmed: 1000n }), position)
  const idle = { idle: 4000n }
  t.strictSame(compare(idle, {}, { confirmed: 4000n }), { ...position, ...idle })
  t.end()
})

test('a slot that stands above what was read is a gap', (t) => {
  const fault = { code: 'POSITION_GAP', message: /stands at 0\/3E9, but only 0\/3E8 was read/ }
  t.throws(() => compare({}, {}, { confirmed: 1001n }), fault)
  t.throws(() => compare({ idle: 2000n }, {}, { confirmed: 2001n }), { code: 'POSITION_GAP' })
  t.end()
})

test('a server with less WAL than was read was rolled back', (t) => {
  t.throws(() => compare({}, { walEnd: 999n }), { code: 'SERVER_ROLLED_BACK' })
  t.throws(() => compare({ idle: 5001n }, {}), { code: 'SERVER_ROLLED_BACK' })
  t.end()
})

test('another server is told before anything about slots', (t) => {
  t.throws(() => compare({}, { systemId: '8' }, null), { code: 'OTHER_DATABASE', message: /8.*7/ })
  t.throws(() => compare({}, {}, { database: 'other' }), { code: 'OTHER_DATABASE' })
  t.end()
})

test('a promotion above the last commit is ordinary', (t) => {
  t.strictSame(compare({}, forked(1000n)), { ...position, timeline: 2 })
  t.strictSame(compare({}, forked(3000n)), { ...position, timeline: 2 })
  t.end()
})

test('an idle advance beyond the fork is cut back to it', (t) => {
  const resumed = compare({ idle: 4000n }, forked(3000n))
  t.strictSame(resumed, { ...position, timeline: 2, idle: 3000n })
  const before = compare({ idle: 2000n }, forked(3000n))
  t.strictSame(before, { ...position, timeline: 2, idle: 2000n })
  t.strictSame(
    compare({ idle: 9000n }, { ...forked(3000n), walEnd: 3000n }),
    { ...position, timeline: 2, idle: 3000n },
    'the end of WAL is compared with what is left of it',
  )
  t.end()
})

test('a promotion below the last commit has lost what was read', (t) => {
  const fault = { code: 'SERVER_ROLLED_BACK', message: /promoted without the last commits/ }
  t.throws(() => compare({}, forked(999n)), fault)
  t.end()
})

test('a commit that went out in part must be on both timelines with its record', (t) => {
  const inside = { commit: 2000n, ordinal: 5 }
  t.strictSame(compare(inside, forked(2001n)), { ...position, ...inside, timeline: 2 })
  t.throws(() => compare(inside, forked(2000n)), { code: 'SERVER_ROLLED_BACK' })
  t.end()
})

test('several promotions at once: the fork from the timeline that was read counts', (t) => {
  const history = [
    { timeline: 1, lsn: 1500n },
    { timeline: 2, lsn: 2500n },
  ]
  t.equal(compare({ idle: 2000n }, { timeline: 3, history }).idle, 1500n)
  t.equal(compare({ timeline: 2, idle: 2000n }, { timeline: 3, history }).idle, 2000n)
  t.end()
})

test('an old primary, or a branch that was not read, is no successor', (t) => {
  const fault = { code: 'SERVER_ROLLED_BACK', message: /does not descend from timeline/ }
  t.throws(() => compare({ timeline: 2 }, {}), fault)
  t.throws(() => compare({ timeline: 4 }, forked(3000n)), fault)
  t.end()
})

test('a slot that is gone, invalid, taken or of another kind has its own code', (t) => {
  t.throws(() => compare({}, {}, null), {
    code: 'SLOT_LOST',
    message: /does not exist any more\.$/,
  })
  t.throws(() => compare({}, forked(3000n), null), {
    ...{ code: 'SLOT_LOST', message: /promoted meanwhile.*slot\.failover: true/ },
  })
  for (const [state, message] of [
    [{ walStatus: 'lost' }, /max_slot_wal_keep_size/],
    [{ walStatus: 'lost', invalidation: 'wal_removed' }, /max_slot_wal_keep_size/],
    [{ walStatus: 'lost', invalidation: 'idle_timeout' }, /idle_replication_slot_timeout/],
    [{ walStatus: 'lost', invalidation: 'wal_level_insufficient' }, /wal_level was lowered/],
    [{ invalidation: 'something_new' }, /invalid: something_new/],
    [{ conflicting: true }, /hot_standby_feedback/],
  ] as const) {
    t.throws(() => compare({}, {}, state), { code: 'SLOT_LOST', message })
  }
  t.throws(() => compare({}, {}, { activePid: 42, reader: 'psql at ::1' }), {
    ...{ code: 'SLOT_IN_USE', message: /server process 42 \(psql at ::1\)/ },
  })
  t.throws(() => compare({}, {}, { plugin: 'decoderbufs' }), { code: 'TARGET_MISCONFIGURED' })
  t.throws(() => compare({}, {}, { plugin: null }), { message: /is physical/ })
  t.end()
})

test('the history of a timeline names its forks', (t) => {
  const text = '1\t0/3000148\tno recovery target specified\n\n2\t1/A0\tbefore 2000-01-01\n'
  const history = [
    { timeline: 1, lsn: 0x3000148n },
    { timeline: 2, lsn: 0x1000000a0n },
  ]
  t.strictSame(parseHistory(text), history)
  t.strictSame(parseHistory('# a comment\n'), [])
  t.strictSame(sharedHistory(3, 3, history), { kind: 'same' })
  t.strictSame(sharedHistory(2, 3, history), { kind: 'until', lsn: 0x1000000a0n })
  t.strictSame(sharedHistory(4, 3, history), { kind: 'unrelated' })
  t.end()
})

import { test } from 'tap'
import { connect } from '../../../../connectors/postgres/session.ts'
import {
  budgetDetail,
  describeBudget,
  sampleWal,
  type WalSample,
  WalSamples,
  walBudget,
} from '../../../../connectors/postgres/slot/wal-budget.ts'
import { WalWatch } from '../../../../connectors/postgres/slot/wal-watch.ts'
import { usePostgres } from '../../../support/servers/use.ts'

const mb = 1_000_000
const sample = (seconds: number, retained: number, more: Partial<WalSample> = {}): WalSample => ({
  ...{ atMs: seconds * 1000, retainedBytes: retained, unreadBytes: 0, status: 'reserved' },
  ...{ limitBytes: null, safeBytes: null, ...more },
})
const limited = (seconds: number, retained: number): WalSample =>
  sample(seconds, retained, { limitBytes: 1000 * mb, safeBytes: 1000 * mb - retained })

test('without samples there is no budget, and with one there is no rate', (t) => {
  t.equal(walBudget([]), undefined)
  const budget = walBudget([limited(0, 10 * mb)])
  t.match(budget, { growthPerSecond: null, secondsUntilLost: null, level: 'ok' })
  t.equal(walBudget([limited(0, 0), limited(4, mb)])!.growthPerSecond, null, 'too short to tell')
  t.end()
})

test('growth is that of the last minute, and the rest of the budget lasts so long', (t) => {
  const samples = [limited(0, 0), limited(60, 0), limited(90, 60 * mb), limited(120, 120 * mb)]
  const budget = walBudget(samples)!
  t.equal(budget.growthPerSecond, 2 * mb)
  t.equal(budget.secondsUntilLost, 440)
  t.equal(budget.level, 'warning', 'lost within the hour')
  t.equal(
    describeBudget(budget),
    'WAL kept: 120.0 MB of 1.0 GB, reserved, growing by 2.0 MB/s, lost in 7 min',
  )
  t.end()
})

test('a slot that keeps up is never lost', (t) => {
  const steady = walBudget([limited(0, 50 * mb), limited(30, 50 * mb)])!
  t.match(steady, { growthPerSecond: 0, secondsUntilLost: null, level: 'ok' })
  const shrinking = walBudget([limited(0, 50 * mb), limited(10, 20 * mb)])!
  t.match(shrinking, { growthPerSecond: -3 * mb, secondsUntilLost: null, level: 'ok' })
  t.equal(describeBudget(shrinking), 'WAL kept: 20.0 MB of 1.0 GB, reserved')
  const unlimited = walBudget([sample(0, 0), sample(10, 50 * mb)])!
  t.match(unlimited, { growthPerSecond: 5 * mb, secondsUntilLost: null, level: 'ok' })
  t.match(describeBudget(unlimited), /50\.0 MB \(no limit\), reserved, growing by 5\.0 MB\/s$/)
  t.end()
})

test('half of the budget is a warning; WAL that may go at any moment is an error', (t) => {
  t.equal(walBudget([limited(0, 499 * mb)])!.level, 'ok')
  t.equal(walBudget([limited(0, 500 * mb)])!.level, 'warning')
  t.equal(walBudget([sample(0, mb, { status: 'unreserved' })])!.level, 'error')
  t.equal(walBudget([sample(0, mb, { status: 'lost' })])!.level, 'error')
  const over = [limited(0, 0), sample(10, 1001 * mb, { limitBytes: 1000 * mb, safeBytes: -mb })]
  t.equal(walBudget(over)!.secondsUntilLost, 0)
  t.end()
})

test('samples older than a minute are forgotten', (t) => {
  const samples = new WalSamples()
  samples.add(limited(0, 0))
  samples.add(limited(50, 50 * mb))
  t.equal(samples.add(limited(100, 50 * mb)).growthPerSecond, 0)
  t.end()
})

test('status has the numbers by name, as far as they are known', (t) => {
  const budget = walBudget([limited(0, 0), limited(60, 120 * mb)])!
  t.strictSame(budgetDetail(budget), {
    wal: 'WAL kept: 120.0 MB of 1.0 GB, reserved, growing by 2.0 MB/s, lost in 7 min',
    'wal.status': 'reserved',
    'wal.retained.bytes': 120 * mb,
    'wal.limit.bytes': 1000 * mb,
    'wal.safe.bytes': 880 * mb,
    'wal.growth.bytes.per.second': 2 * mb,
    'wal.seconds.until.lost': 440,
  })
  t.strictSame(Object.keys(budgetDetail(walBudget([sample(0, mb)])!)), [
    ...['wal', 'wal.status', 'wal.retained.bytes'],
  ])
  t.end()
})

test('a server tells what it keeps for a slot, and it is said when that is too much', async (t) => {
  const database = await usePostgres(t, { settings: { max_slot_wal_keep_size: '64MB' } })
  const sql = await connect(database.url)
  t.teardown(() => sql.end())
  t.equal(await sampleWal(sql, 'none'), null)
  await database.query("select pg_create_logical_replication_slot('s', 'pgoutput')")
  const said: string[] = []
  const watch = new WalWatch('s', (line) => said.push(line))
  await watch.sample(async () => sql)
  t.match(watch.detail, { 'wal.status': 'reserved', 'wal.limit.bytes': 64 * 1024 * 1024 })
  t.strictSame(said, [])
  await database.query("select pg_logical_emit_message(true, 'x', repeat('y', 40000000))")
  await watch.sample(async () => sql)
  t.ok(watch.unreadBytes! >= 40_000_000)
  await watch.sample(async () => sql)
  t.equal(said.length, 1, 'once')
  t.match(said[0], /slot s is in danger: WAL kept: 4\d\.\d MB of 67\.1 MB, (reserved|extended)/)
  watch.forget()
  t.strictSame([watch.unreadBytes, watch.detail], [null, {}])
})

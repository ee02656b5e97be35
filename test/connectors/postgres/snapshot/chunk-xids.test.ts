import { test } from 'tap'
import {
  parseVisibility,
  StreamedCommits,
  sees,
  widen,
} from '../../../../connectors/postgres/snapshot/chunk-xids.ts'

test('a snapshot sees what was over when it was taken', async (t) => {
  const visibility = parseVisibility('100:110:100,105')
  const seen = [99n, 100n, 101n, 105n, 109n, 110n].filter((xid) => sees(visibility, xid))
  t.strictSame(seen, [99n, 101n, 109n])
  t.ok(sees(parseVisibility('7:7:'), 6n))
})

test('32 bits of a transaction id are widened to the nearest id', async (t) => {
  const epoch = 1n << 32n
  t.equal(widen(5, 3n * epoch + 7n), 3n * epoch + 5n)
  t.equal(widen(5, 3n * epoch - 7n), 3n * epoch + 5n)
  t.equal(widen(0xfffffff0, 3n * epoch + 7n), 3n * epoch - 16n)
  t.equal(widen(0xfffffff0, 7n), 0xfffffff0n)
})

test('a streamed commit is remembered until a snapshot has seen it', async (t) => {
  const streamed = new StreamedCommits(100n, [90n])
  streamed.add(101)
  streamed.add(103)
  t.strictSame(streamed.all, [90n, 101n, 103n])
  streamed.forget(parseVisibility('101:104:101'))
  t.strictSame(streamed.all, [101n])
})

import { test } from 'tap'
import type { JoinWindows, KStream } from '../../../src/streams/kstream.ts'
import { defineTopology } from '../../../src/streams/stream-topology.ts'
import { testTopology } from '../../../src/streams/test-topology.ts'

type Texts = KStream<string, string>
type Join = (left: Texts, right: Texts) => KStream<string, string>

const windows: JoinWindows = { beforeMs: 10, afterMs: 5, graceMs: 2 }
const pair = (left: string | null, right: string | null) => `${left}-${right}`

/**
 * Plays `l 3 a` as: record `a` on the left at 3, all with one key; gives `value@time` per input.
 */
function play(join: Join, ...inputs: readonly string[]): string[][] {
  const topology = testTopology(
    defineTopology(({ stream }) => join(stream('l'), stream('r')).to('out')),
  )
  return inputs.map((input) => {
    const [side, time, value] = input.split(' ')
    topology.restart() // Waiting records must be in the state.
    topology.pipe(side!, { key: 'k', value: value!, timestamp: Number(time) })
    return topology.read('out').map((record) => `${record.value}@${record.timestamp}`)
  })
}

const inner: Join = (l, r) => l.join(r, windows, pair)
const left: Join = (l, r) => l.leftJoin(r, windows, pair)
const outer: Join = (l, r) => l.outerJoin(r, windows, pair)

test('a right record joins from so long before a left one to so long after, bounds included', async (t) => {
  t.strictSame(play(inner, 'l 20 a', 'r 10 x', 'r 9 y', 'r 25 z', 'r 26 w'), [
    ...[[], ['a-x@20'], [], ['a-z@25'], []],
  ])
})

test('matches come in the order of the other side’s times', async (t) => {
  t.strictSame(play(inner, 'r 12 b', 'r 11 a', 'r 12 c', 'l 13 x').at(-1), [
    ...['x-a@13', 'x-b@13', 'x-c@13'],
  ])
})

test('an unmatched left record is told when its time and the grace have passed', async (t) => {
  t.strictSame(play(left, 'l 20 a', 'r 27 x', 'r 28 y', 'r 40 z'), [[], [], ['a-null@20'], []])
})

test('a matched record is not told alone', async (t) => {
  t.strictSame(play(left, 'l 20 a', 'r 20 x', 'r 40 z'), [[], ['a-x@20'], []])
})

test('an outer join tells the unmatched of both sides, at the same time the right one first', async (t) => {
  const apart: JoinWindows = { beforeMs: 0, afterMs: 0, graceMs: 0 }
  const join: Join = (l, r) =>
    l
      .selectKey((value) => `left of ${value}`)
      .outerJoin(
        r.selectKey((value) => value),
        apart,
        pair,
      )
  t.strictSame(play(join, 'l 5 a', 'r 5 x', 'l 9 b'), [[], [], ['null-x@5', 'a-null@5']])
})

test('an unmatched record that comes after its time is told at once', async (t) => {
  t.strictSame(play(left, 'r 50 x', 'l 20 a'), [[], ['a-null@20']])
})

test('an unmatched record may be told at once, and again with its match', async (t) => {
  const eager: Join = (l, r) => l.leftJoin(r, { ...windows, unmatched: 'atOnce' }, pair)
  t.strictSame(play(eager, 'l 20 a', 'r 20 x', 'r 40 z'), [['a-null@20'], ['a-x@20'], []])
})

test('null values join with nothing, null keys only leave an outer side', async (t) => {
  const topology = testTopology(
    defineTopology(({ stream }) => outer(stream('l'), stream('r')).to('out')),
  )
  topology.pipe('l', { key: 'k', value: null, timestamp: 1 })
  topology.pipe('r', { key: 'k', value: 'x', timestamp: 1 })
  t.strictSame(topology.read(), [])
  topology.pipe('l', { key: null, value: 'a', timestamp: 1 })
  t.strictSame(topology.read(), [{ topic: 'out', key: null, value: 'a-null', timestamp: 1 }])
})

import { test } from 'tap'
import { defineTopology, type StreamScope } from '../../../src/streams/stream-topology.ts'
import { testTopology } from '../../../src/streams/test-topology.ts'

type Input = readonly [topic: string, key: string | null, value: string | null, timestamp?: number]

/** What each input causes, as `key=value@time`. */
function play(build: (scope: StreamScope) => void, ...inputs: readonly Input[]): string[][] {
  const topology = testTopology(defineTopology(build), { emission: 'perRecord' })
  return inputs.map(([topic, key, value, timestamp = 0]) => {
    topology.restart()
    topology.pipe(topic, { key, value, timestamp })
    return topology.read().map((record) => `${record.key}=${record.value}@${record.timestamp}`)
  })
}

const pair = (left: string | null, right: string | null) => `${left}-${right}`

test('a stream joins with the row as it is when the record comes', async (t) => {
  const told = play(
    ({ stream, table }) => {
      stream<string, string>('s').leftJoinTable(table<string, string>('t'), pair).to('out')
    },
    ...([
      ['s', 'k', 'a', 1],
      ['t', 'k', 'x', 9],
      ['s', 'k', 'b', 2],
      ['s', 'k', null, 3],
      ['s', null, 'c', 4],
    ] as const),
  )
  t.strictSame(told, [['k=a-null@1'], [], ['k=b-x@2'], [], ['null=c-null@4']])
})

test('a stream joins with a versioned table’s row as it was at the record’s time', async (t) => {
  const told = play(
    ({ stream, table }) => {
      const rows = table<string, string>('t', { historyMs: 100 })
      stream<string, string>('s').joinTable(rows, pair).to('out')
    },
    ...([
      ['t', 'k', 'x', 10],
      ['t', 'k', 'z', 30],
      ['t', 'k', 'y', 20],
      ['s', 'k', 'a', 25],
      ['s', 'k', 'b', 9],
      ['s', 'k', 'c', 30],
    ] as const),
  )
  t.strictSame(told, [[], [], [], ['k=a-y@25'], [], ['k=c-z@30']])
})

test('with a grace, records wait for late rows, in the order of their times', async (t) => {
  const told = play(
    ({ stream, table }) => {
      const rows = table<string, string>('t', { historyMs: 100 })
      stream<string, string>('s').joinTable(rows, pair, { graceMs: 5 }).to('out')
    },
    ...([
      ['s', 'k', 'b', 12],
      ['s', 'k', 'a', 10],
      ['t', 'k', 'x', 10],
      ['s', 'k', 'c', 17],
      ['s', 'k', 'late', 11],
    ] as const),
  )
  t.strictSame(told, [[], [], [], ['k=a-x@10', 'k=b-x@12'], ['k=late-x@11']])
})

test('a grace needs a table that keeps as much history', async (t) => {
  const wrong = defineTopology(({ stream, table }) => {
    stream<string, string>('s')
      .joinTable(table<string, string>('t', { historyMs: 4 }), pair, { graceMs: 5 })
      .to('out')
  })
  t.throws(() => testTopology(wrong), { code: 'CONFIG_INVALID', message: /grace of 5 ms/ })
})

test('a global table is joined by any key, and its changes trigger nothing', async (t) => {
  const told = play(
    ({ stream, globalTable }) => {
      const rows = globalTable<string, string>('g')
      const on = (value: string) => value[1] ?? null
      stream<string, string>('s').joinGlobal(rows, on, pair).to('inner')
      stream<string, string>('s').leftJoinGlobal(rows, on, pair).to('left')
    },
    ...([
      ['g', 'x', '!', 1],
      ['s', null, 'ax', 2],
      ['s', 'k', 'a', 3],
    ] as const),
  )
  t.strictSame(told, [[], ['null=ax-!@2', 'null=ax-!@2'], ['k=a-null@3']])
})

test('either side of a join of tables triggers, and the later time is told', async (t) => {
  const told = play(
    ({ table }) => {
      table<string, string>('l').join(table<string, string>('r'), pair).toStream().to('out')
    },
    ...([
      ['l', 'k', 'a', 5],
      ['r', 'k', 'x', 3],
      ['l', 'k', null, 4],
      ['r', 'k', null, 6],
    ] as const),
  )
  t.strictSame(told, [[], ['k=a-x@5'], ['k=null@4'], []])
})

test('a right row’s change reaches all left rows that point at it, in the order of their keys', async (t) => {
  const told = play(
    ({ table }) => {
      const on = (left: string) => left[1] ?? null
      table<string, string>('l')
        .leftJoin(table<string, string>('r'), { on, select: pair })
        .toStream()
        .to('out')
    },
    ...([
      ['l', '2', 'bx', 1],
      ['l', '1', 'ax', 2],
      ['r', 'x', '!', 3],
      ['l', '2', 'b', 4],
      ['l', '1', null, 5],
      ['l', '1', null, 6],
    ] as const),
  )
  t.strictSame(told, [
    ...[['2=bx-null@1'], ['1=ax-null@2'], ['1=ax-!@3', '2=bx-!@3']],
    ...[['2=b-null@4'], ['1=null@5'], []],
  ])
})

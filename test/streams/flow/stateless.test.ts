import { test } from 'tap'
import type { KStream } from '../../../src/streams/kstream.ts'
import { defineTopology, StreamTopology } from '../../../src/streams/stream-topology.ts'
import { testTopology } from '../../../src/streams/test-topology.ts'

type Numbers = KStream<number, string>

/** What becomes of 1, 2 and 3, as `topic key=value`. */
function play(build: (numbers: Numbers) => void): string[] {
  const topology = testTopology(defineTopology(({ stream }) => build(stream('in'))))
  for (const value of [1, 2, 3]) topology.pipe('in', { key: `k${value}`, value })
  return topology.read().map(({ topic, key, value }) => `${topic} ${key}=${value}`)
}

test('records are kept, left out, mapped and multiplied one by one', async (t) => {
  const isOdd = (n: number) => n % 2 === 1
  t.strictSame(
    play((s) => s.filter(isOdd).to('o')),
    ['o k1=1', 'o k3=3'],
  )
  t.strictSame(
    play((s) => s.filterNot(isOdd).to('o')),
    ['o k2=2'],
  )
  t.strictSame(
    play((s) => s.map((n, key) => [`${key}!`, n * 10]).to('o')),
    ['o k1!=10', 'o k2!=20', 'o k3!=30'],
  )
  t.strictSame(
    play((s) => s.flatMapValues((n) => Array(n - 1).fill(n)).to('o')),
    ['o k2=2', 'o k3=3', 'o k3=3'],
  )
  t.strictSame(
    play((s) => s.flatMap((n) => (isOdd(n) ? [[n, 'x'] as const] : [])).to('o')),
    ['o 1=x', 'o 3=x'],
  )
  t.strictSame(
    play((s) => s.selectKey((n) => (n === 1 ? null : n)).to('o')),
    ['o null=1', 'o 2=2', 'o 3=3'],
  )
})

test('a split sends each record to the first branch that wants it', async (t) => {
  const told = play((numbers) => {
    const { small, odd, rest } = numbers.split(
      { small: (n) => n < 2, odd: (n) => n % 2 === 1 },
      'rest',
    )
    small.to('small')
    odd.to('odd')
    rest.to('rest')
  })
  t.strictSame(told, ['small k1=1', 'rest k2=2', 'odd k3=3'])
})

test('a merge has the records of both, and a look at them changes nothing', async (t) => {
  const seen: number[] = []
  const told = play((numbers) => {
    const large = numbers.filter((n) => n > 2)
    numbers
      .merge(large)
      .peek((n) => seen.push(n))
      .to('o')
  })
  t.strictSame(told, ['o k1=1', 'o k2=2', 'o k3=3', 'o k3=3'])
  t.strictSame(seen, [1, 2, 3, 3])
})

test('a null key is left out where records are grouped', async (t) => {
  const told = play((numbers) => {
    numbers
      .groupBy((n) => (n === 2 ? null : 'all'))
      .reduce((a, b) => a + b)
      .toStream()
      .to('o')
  })
  t.strictSame(told, ['o all=1', 'o all=4'])
})

test('several streams make one aggregate, each in its own way', async (t) => {
  const topology = testTopology(
    defineTopology(({ stream }) => {
      const [up, down] = [stream<number, string>('up'), stream<number, string>('down')]
      up.groupByKey()
        .cogroup<number>((sum, n) => sum + n)
        .cogroup(down.groupByKey(), (sum, n) => sum - n)
        .aggregate(() => 100, { store: 'balance' })
    }),
  )
  topology.pipe('up', { key: 'a', value: 5 })
  topology.pipe('down', { key: 'a', value: 8 })
  t.equal(topology.store('balance').get('a'), 97)
})

test('names of state do not change when a neighbour is added', async (t) => {
  const names = (hasNeighbour: boolean) =>
    new StreamTopology(
      't',
      defineTopology(({ stream }) => {
        const numbers = stream<number, string>('in')
        if (hasNeighbour) numbers.groupByKey().reduce((a, b) => a + b)
        numbers.groupByKey().count().toStream().to('o')
      }),
    ).steps.map(({ name }) => name)
  t.ok(names(false).every((name) => names(true).includes(name)))
  t.ok(names(false).includes('in.count()'))
})

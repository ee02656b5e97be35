import fc from 'fast-check'
import { test } from 'tap'
import {
  assign,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Member,
} from '../../../src/log/kafka/assignor.ts'

test('what a member tells and what it is told survive the wire', (t) => {
  const told = { topics: ['a', 'b'], owned: [0, 3], generation: 7 }
  t.same(decodeSubscription(encodeSubscription(told)), told)
  const facts = { url: 'http://one', copies: [2] }
  t.same(decodeSubscription(encodeSubscription({ ...told, facts })), { ...told, facts })
  const roles = [{ owner: { id: 'm', url: 'http://one' }, standbys: [] }]
  const assigned = { partitions: [1, 2], roles }
  t.same(decodeAssignment(encodeAssignment(['a', 'b'], assigned)), assigned)
  t.same(decodeAssignment(encodeAssignment(['a'], { partitions: [] })), { partitions: [] })
  t.same(decodeAssignment(Buffer.alloc(0)), { partitions: [] })
  t.end()
})

test('rounds of joining end with every partition read by one member, evenly', (t) => {
  const change = fc.record({
    partitions: fc.integer({ min: 1, max: 12 }),
    sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
  })
  fc.assert(
    fc.property(change, ({ partitions, sizes }) => {
      let members: Member[] = []
      for (const [round, size] of sizes.entries()) {
        members = Array.from({ length: size }, (_, i) => {
          return members[i] ?? { id: `m${i}`, topics: ['t'], owned: [], generation: -1 }
        })
        members = settle(partitions, members, round * 10)
        const all = members.flatMap(({ owned }) => owned).sort((a, b) => a - b)
        t.same(
          all,
          Array.from({ length: partitions }, (_, i) => i),
        )
        const counts = members.map(({ owned }) => owned.length)
        t.ok(Math.max(...counts) - Math.min(...counts) <= 1)
      }
    }),
  )
  t.end()
})

test('a partition moves only after its owner has let it go', (t) => {
  const two = [
    { id: 'm1', topics: ['t'], owned: [0, 1], generation: 4 },
    { id: 'm2', topics: ['t'], owned: [], generation: -1 },
  ]
  const first = assign(2, two)
  t.same([first.get('m1'), first.get('m2')], [[0], []])
  const second = assign(2, [{ ...two[0]!, owned: [0] }, two[1]!])
  t.same([second.get('m1'), second.get('m2')], [[0], [1]])
  t.end()
})

/** Members take what they are given, and join again until nothing changes. */
function settle(partitions: number, before: readonly Member[], generation: number): Member[] {
  let members = [...before]
  for (let round = 0; round < 5; round++) {
    const given = assign(partitions, members)
    members = members.map((member) => {
      return { ...member, owned: given.get(member.id) ?? [], generation: generation + round }
    })
  }
  return members
}

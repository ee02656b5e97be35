import { test } from 'tap'
import { assign } from '../../../src/log/kafka/assignor.ts'
import { castRoles } from '../../../src/log/kafka/roles.ts'

const member = (id: string, copies: readonly number[] = []) => ({
  ...{ id, topics: ['t'], owned: [], generation: -1 },
  facts: { url: `http://${id}`, copies },
})

test('copies stay where they are, new ones go to who has the fewest, and none to the owner', (t) => {
  const members = [member('a'), member('b', [1]), member('c')]
  const owners = new Map([
    [0, 'a'],
    [1, 'a'],
    [2, 'a'],
  ])
  const roles = castRoles({ owners, members, partitions: 3, standbys: 1 })
  t.same(
    roles.map(({ owner }) => owner),
    Array(3).fill({ id: 'a', url: 'http://a' }),
  )
  const standbys = roles.map(({ standbys }) => standbys.map(({ id }) => id))
  t.same(standbys[1], ['b'])
  t.same(standbys.flat().sort(), ['b', 'b', 'c'])
  const none = castRoles({ owners: new Map(), members: [member('a')], partitions: 1, standbys: 1 })
  t.same(none, [{ owner: null, standbys: [{ id: 'a', url: 'http://a' }] }])
  t.end()
})

test('who has a copy of the state takes over', (t) => {
  const given = assign(2, [member('a'), member('b', [0]), member('c', [1])])
  t.same([given.get('a'), given.get('b'), given.get('c')], [[], [0], [1]])
  t.end()
})

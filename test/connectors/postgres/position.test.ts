import fc from 'fast-check'
import { test } from 'tap'
import {
  acknowledged,
  decodePosition,
  encodePosition,
  isInside,
  type PostgresPosition,
} from '../../../connectors/postgres/position.ts'
import type { Position } from '../../../src/core/source.ts'

const lsn = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })

const positions: fc.Arbitrary<PostgresPosition> = fc.record(
  {
    ...{ systemId: fc.string(), timeline: fc.nat(), slot: fc.string() },
    ...{ tables: fc.array(fc.string()), commit: lsn, ordinal: fc.nat(), held: fc.array(fc.nat()) },
    ...{ commitEnd: lsn, lastVersion: lsn, idle: lsn.filter((lsn) => lsn > 0n) },
    snapshot: fc.record(
      {
        phase: fc.constantFrom('intent' as const, 'running' as const),
        from: lsn,
        again: fc.boolean(),
      },
      { noNullPrototype: true },
    ),
  },
  {
    noNullPrototype: true,
    requiredKeys: [
      ...(['systemId', 'timeline', 'slot', 'tables', 'commit'] as const),
      ...(['ordinal', 'held', 'commitEnd', 'lastVersion'] as const),
    ],
  },
)

test('a position reads back as it was written', (t) => {
  fc.assert(
    fc.property(positions, (position) => {
      t.strictSame(decodePosition(encodePosition(position)), position)
    }),
    { numRuns: 50 },
  )
  t.end()
})

test('a position of another version is refused', (t) => {
  t.throws(() => decodePosition('{"v":2}' as Position), { message: /version 2/ })
  t.end()
})

test('what may be forgotten is the end of the last whole commit, or later an idle moment', (t) => {
  const position = {
    ...{ systemId: '1', timeline: 1, slot: 's', tables: [], ordinal: 2, held: [] },
    ...{ commit: 90n, commitEnd: 100n, lastVersion: 90n },
  }
  t.equal(acknowledged(position), 100n)
  t.equal(acknowledged({ ...position, idle: 120n }), 120n)
  t.equal(acknowledged({ ...position, idle: 95n }), 100n)
  t.notOk(isInside(position))
  t.ok(isInside({ ...position, commit: 130n }))
  t.equal(acknowledged({ ...position, commit: 130n }), 100n)
  t.end()
})

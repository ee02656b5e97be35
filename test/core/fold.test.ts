import fc from 'fast-check'
import { test } from 'tap'
import { type Candidate, foldDocuments, settle, supersedes } from '../../src/core/fold.ts'
import type { LogRecord } from '../../src/core/record.ts'
import { note, put, remove } from '../support/records.ts'

test('the newest state per id survives, the others are coalesced into it', async (t) => {
  const { survivors, outcomes } = foldDocuments([
    put('1', { n: 1 }, { version: 1 }),
    put('2', { n: 2 }, { version: 1, ordinal: 1 }),
    note('t', { version: 2 }),
    put('1', { n: 3 }, { version: 3 }),
    { ...put('3', {}), key: null },
  ])
  t.same(survivors.map(show), ['1 = {"n":3}', '2 = {"n":2}'])
  t.match(outcomes, ['coalesced', 'applied', 'filtered', 'applied', { code: 'no_key' }])
})

test('a state that comes after a newer one is stale', async (t) => {
  const { survivors, outcomes } = foldDocuments([
    put('1', { n: 2 }, { version: 2 }),
    put('1', { n: 1 }, { version: 1 }),
  ])
  t.same(survivors.map(show), ['1 = {"n":2}'])
  t.same(outcomes, ['applied', 'stale'])
})

test('the older states are at hand if the newest is refused', async (t) => {
  const fold = foldDocuments([
    put('1', { n: 1 }, { version: 1 }),
    put('1', { n: 2 }, { version: 2 }),
    put('1', { n: 3 }, { version: 3 }),
  ])
  const refusal = { code: 'too_large', reason: 'The document is too large.' }
  const second = settle(fold, fold.survivors[0]!, refusal)
  t.equal(show(second!), '1 = {"n":2}')
  const first = settle(fold, second!, refusal)
  t.equal(show(first!), '1 = {"n":1}')
  t.equal(settle(fold, first!, 'applied'), undefined)
  t.same(fold.outcomes, ['applied', refusal, refusal])
})

test('in one commit an upsert beats the delete of another key', async (t) => {
  const oldKey = { id: '1' }
  const newKey = { number: '1' }
  const states = (records: LogRecord[]) => foldDocuments(records).survivors.map(show)
  const upsert = put(newKey, { n: 2 }, { version: 2, ordinal: 0 })
  t.same(states([upsert, remove(oldKey, { version: 2, ordinal: 1 })]), ['1 = {"n":2}'])
  t.same(states([upsert, remove(newKey, { version: 2, ordinal: 1 })]), ['1 deleted'])
  t.same(states([upsert, remove(oldKey, { version: 3 })]), ['1 deleted'])
  t.same(
    states([
      put(oldKey, { n: 1 }, { version: 2, ordinal: 0 }),
      put(newKey, { n: 2 }, { version: 2, ordinal: 1 }),
      remove(newKey, { version: 2, ordinal: 2 }),
    ]),
    ['1 = {"n":1}'],
    'a key counts with its last state only',
  )
})

const change = fc.record({
  id: fc.constantFrom('1', '2', '__proto__'),
  column: fc.constantFrom('id', 'number'),
  version: fc.integer({ min: 1, max: 4 }),
  deletes: fc.boolean(),
})
const changes = fc.array(change, { maxLength: 14 })

test('a fold is the net effect of the commits, in whatever order they come', async (t) => {
  const property = fc.property(changes, fc.infiniteStream(fc.nat()), (list, random) => {
    const records = list.map(toRecord)
    const shuffled = records
      .map((record) => ({ record, at: random.next().value as number }))
      .sort((a, b) => a.at - b.at)
      .map(({ record }) => record)
    const states = foldDocuments(shuffled).survivors.map(show).sort()
    t.same(states, reference(records))
  })
  fc.assert(property, { numRuns: 300 })
})

test('every record has one outcome, and each id one survivor with all its states behind', async (t) => {
  const property = fc.property(changes, (list) => {
    const records = list.map(toRecord)
    const { survivors, outcomes } = foldDocuments(records)
    const indexes = survivors.flatMap((survivor) => indexesOf(survivor)).sort((a, b) => a - b)
    t.same(indexes, [...records.keys()])
    t.equal(outcomes.filter((outcome) => outcome === 'applied').length, survivors.length)
    t.notOk(Array.from(outcomes).includes(undefined as never))
  })
  fc.assert(property, { numRuns: 200 })
})

test('across batches the same order decides', async (t) => {
  const held = { version: 5n, ordinal: 3, deleted: false, key: 'a' }
  t.ok(supersedes({ ...held, version: 6n, ordinal: 0 }, held))
  t.notOk(supersedes({ ...held, version: 4n, ordinal: 9 }, held))
  t.ok(supersedes(held, held), 'the same record again')
  t.ok(supersedes({ ...held, ordinal: 4, deleted: true }, held))
  t.notOk(supersedes({ ...held, ordinal: 4, deleted: true, key: 'b' }, held))
  t.ok(supersedes({ ...held, ordinal: 2, key: 'b' }, { ...held, deleted: true }))
  t.notOk(supersedes({ ...held, ordinal: 2 }, { ...held, deleted: true }))
})

type Change = { id: string; column: string; version: number; deletes: boolean }

/** Ordinals follow the order of the list, so that no two records of a commit share one. */
function toRecord({ id, column, version, deletes }: Change, ordinal: number): LogRecord {
  const key = { [column]: id }
  const place = { version, ordinal }
  return deletes ? remove(key, place) : put(key, { ordinal }, place)
}

/** Key by key, as a database would do it: the last commit of an id, then what its keys end with. */
function reference(records: readonly LogRecord[]): string[] {
  const last = new Map<string, { version: bigint; keys: Map<string, string | null> }>()
  for (const record of records.toSorted((a, b) => Number(a.version - b.version))) {
    const { id, state } = parse(record)
    const known = last.get(id)
    const commit =
      known?.version === record.version ? known : { version: record.version, keys: new Map() }
    commit.keys.delete(String(record.key))
    commit.keys.set(String(record.key), state)
    last.set(id, commit)
  }
  const states = [...last].map(([id, { keys }]) => {
    const upserts = [...keys.values()].filter((state) => state !== null)
    return upserts.length === 0 ? `${id} deleted` : `${id} = ${upserts.at(-1)}`
  })
  return states.sort()
}

function parse({ key, value }: LogRecord): { id: string; state: string | null } {
  const id = String(Object.values(JSON.parse(String(key)))[0])
  const { after } = JSON.parse(String(value))
  return { id, state: after === null ? null : JSON.stringify(after) }
}

function show({ id, body }: Candidate): string {
  return body === null ? `${id} deleted` : `${id} = ${Buffer.from(body)}`
}

function indexesOf(candidate: Candidate | undefined): number[] {
  return candidate === undefined ? [] : [candidate.index, ...indexesOf(candidate.older)]
}

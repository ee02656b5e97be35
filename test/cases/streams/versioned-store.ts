import type { Json } from '../../../src/core/json.ts'
import { MemoryStore } from '../../../src/streams/memory-store.ts'
import { State } from '../../../src/streams/state.ts'
import { VersionedStore } from '../../../src/streams/stores/versioned-store.ts'
import { CaseFault, type Difference } from '../difference.ts'
import { compareLists } from '../streams-differential/compare-outputs.ts'
import type { StreamsCase } from './case.ts'

/** Plays writes into a versioned store; the expected rows are what reads give. */
export function runVersionedStore({ params, inputs, expected }: StreamsCase): Difference[] {
  const historyMs = params.number('historyRetentionMs')
  params.mustBe('graceMs', historyMs)
  params.text('op')
  params.checkAllAsked()
  const store = openStore(historyMs)
  const differences: Difference[] = []
  for (const [i, { key, value, ts, returnsValidTo }] of inputs.entries()) {
    const returned = store.put(key, { value, timestamp: ts })
    const path = `inputs[${i}].returnsValidTo`
    differences.push(...compareLists([returnsValidTo ?? null], [returned], path))
    for (const [place, row] of expected.entries()) {
      if (row.after !== i + 1) continue
      const { after, order, ...wanted } = row
      differences.push(...compareLists([wanted], [read(store, row)], `expected[${place}]`))
    }
  }
  return differences
}

function openStore(historyMs: number): VersionedStore {
  const state = new State(new MemoryStore())
  const space = (part: string) => state.ordered(part)
  const spaces = { latest: space('latest'), older: space('older'), time: space('time') }
  return new VersionedStore({ ...spaces, historyMs })
}

/** The read that a row describes, with what it gave. */
function read(store: VersionedStore, row: Readonly<Record<string, unknown>>): Json {
  const key = row.key as Json
  if (Array.isArray(row.range)) return readRange(store, key, row)
  if (row.asOf === undefined) throw new CaseFault('a read of a kind that is not understood')
  const asOf = row.asOf as number | null
  const latest = store.get(key)
  const found = asOf === null ? latest && { ...latest, validTo: null } : store.asOf(key, asOf)
  const { value = null, timestamp = null, validTo = null } = found ?? {}
  return { key, asOf, value, ts: timestamp, validTo }
}

function readRange(store: VersionedStore, key: Json, row: Readonly<Record<string, unknown>>): Json {
  if (row.order !== undefined && row.order !== 'ResultOrder.ANY') {
    throw new CaseFault(`the order ${row.order} is not understood`)
  }
  const range = row.range as readonly [number, number]
  const versions = store.versions(key, range[0], range[1])
  const values = versions.map(({ value }) => value)
  if (row.tss === undefined) return { key, range, values }
  const tss = versions.map(({ timestamp }) => timestamp)
  return { key, range, values, tss, validTos: versions.map(({ validTo }) => validTo) }
}

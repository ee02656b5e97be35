import { isObject, printJson } from '../json.ts'
import { markerOf } from '../markers.ts'

/** A record as Debezium would have written it, without schemas. */
export interface Written {
  readonly key: string
  /** `null` is a tombstone. */
  readonly value: string | null
}

/** What a case puts into a topic, and the rows that remain, each as text by its key. */
export interface History {
  readonly records: readonly Written[]
  readonly rows: ReadonlyMap<string, object>
}

type Fields = Readonly<Record<string, unknown>>

/** What Debezium writes for a large column that did not change. */
const unavailable = '__debezium_unavailable_value'

/**
 * The records that a case expects of Debezium, as input. All cases share one topic, so keys have
 * the same members: the case's number, and the key that it names. Gives a sentence where a case
 * does not say enough.
 */
export function historyOf(entry: unknown, number: number): History | string {
  const expected = isObject(entry) && isObject(entry.expect) ? entry.expect.records : undefined
  if (!Array.isArray(expected) || expected.length === 0) return 'it expects no records'
  try {
    return history(expected as readonly Fields[], number)
  } catch (error) {
    if (error instanceof Unsaid) return error.message
    throw error
  }
}

class Unsaid extends Error {}

function history(expected: readonly Fields[], number: number): History {
  const records: Written[] = []
  const rows = new Map<string, object>()
  for (const [i, each] of expected.entries()) {
    const { op, topic, tombstone, before, after, source } = each
    if (!isObject(each.key)) throw new Unsaid('a record has no key')
    const key = printJson({ case: number, row: printJson([topic, said(each.key)]) })
    if (tombstone === true) {
      records.push({ key, value: null })
      rows.delete(key)
      continue
    }
    if (typeof op !== 'string' || !'crud'.includes(op)) throw new Unsaid('it is about no rows')
    const row = after === null || after === undefined ? null : said(after as Fields)
    if (op !== 'd' && row === null) throw new Unsaid('a record says nothing of its row')
    const old = isObject(before) ? said(before) : null
    records.push({ key, value: envelope({ op, before: old, after: row, source, i }) })
    if (op === 'd') rows.delete(key)
    else keep(rows, key, row!)
  }
  return { records, rows }
}

/** A column that did not change keeps its value; a row of which it was never told is not there. */
function keep(rows: Map<string, object>, key: string, row: Fields): void {
  const holes = Object.keys(row).filter((name) => standsForNothing(row[name]))
  const before = rows.get(key) as Fields | undefined
  if (holes.length > 0 && before === undefined) return
  const filled = holes.filter((name) => before?.[name] !== undefined)
  rows.set(key, { ...row, ...Object.fromEntries(filled.map((name) => [name, before![name]])) })
}

/** The placeholder is in the shape of its column; for UUIDs it is one that is made of it. */
function standsForNothing(value: unknown): boolean {
  if (Array.isArray(value) && value.length === 1) return standsForNothing(value[0])
  const shapes = [
    ...[unavailable, Buffer.from(unavailable).toString('base64')],
    ...['b68a35a7-17ad-35b3-af2a-ae46edb4545a', [...Buffer.from(unavailable)]],
    { [unavailable]: unavailable },
  ]
  return shapes.some((shape) => printJson(shape) === printJson(value))
}

function envelope({ op, before, after, source, i }: Fields & { readonly i: number }): string {
  const from = isObject(source) ? source : {}
  const known = Object.entries(from).filter(([, value]) => !isObject(value))
  return printJson({
    ...{ before, after },
    source: {
      ...{ version: '3.0.0.Final', connector: 'postgresql', name: 'test_server' },
      ...{ ts_ms: 1_700_000_000_000 + i, snapshot: 'false', db: 'postgres', lsn: 24 + i },
      ...Object.fromEntries(known),
    },
    ...{ transaction: null, op, ts_ms: 1_700_000_000_001 + i },
  })
}

/** The values of an object, where markers say them. */
function said(fields: Fields): Fields {
  const values = Object.entries(fields).map(([name, value]) => [name, sayable(value)] as const)
  return Object.fromEntries(values.filter(([, value]) => value !== undefined))
}

function sayable(value: unknown): unknown {
  const marker = markerOf(value)
  if (marker === undefined) {
    if (Array.isArray(value)) return value.map(sayable)
    return isObject(value) ? said(value) : value
  }
  switch (marker.name) {
    case '$int64':
      return BigInt(String(marker.argument))
    case '$absent':
      return undefined
    case '$jsonString':
      return printJson(marker.argument)
    case '$sql': // What the column holds: the question stands for the answer.
      return String(marker.argument)
    default:
      throw new Unsaid(`${marker.name} says no value`)
  }
}

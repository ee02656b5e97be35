import type { NewRecord } from '../../../src/core/record.ts'
import type { GeneratedTable } from '../../support/generated-tables.ts'
import type { Shape } from '../../support/generated-types.ts'
import { debeziumJson } from './differential-debezium.ts'
import { plainJson } from './differential-values.ts'

export const formats = ['plain', 'debezium'] as const
export type Format = (typeof formats)[number]

/** A row as text; what was not sent is `undefined`. */
export type ToldRow = Readonly<Record<string, string | null | undefined>>

/** A change as the other decoder tells it. */
export interface Told {
  readonly op: 'c' | 'u' | 'd'
  readonly place: number
  readonly plan: GeneratedTable
  /** Of the old row, the key where that is all that was sent. */
  readonly key: ToldRow | null
  readonly old: ToldRow | null
  readonly after: ToldRow | null
}

/** What the JSON of a change must be, in pieces that know where they come from. */
export interface Wanted {
  readonly key: readonly Piece[]
  readonly value: readonly Piece[]
  readonly op: string
}

interface Piece {
  readonly column: string
  readonly type: string
  readonly text: string | null
  /** Any of these; they follow a label that is the same for all. */
  readonly label: string
  readonly json: readonly string[]
}

export interface Difference {
  readonly column: string
  readonly type: string
  readonly text: string | null
  readonly ours: string
  readonly wanted: string
}

/** An insert as a snapshot tells it. */
export function snapshotChange(told: Told, format: Format): Wanted {
  return change(told, { op: 'r', before: null, after: told.after, keyOf: told.after! }, format)
}

/** A change of the key is a delete and a create. */
export function wantedChanges(told: Told, format: Format): Wanted[] {
  const { op, after } = told
  const before = told.key ?? told.old
  if (op === 'c') return [change(told, { op, before: null, after, keyOf: after! }, format)]
  if (op === 'd') return [change(told, { op, before, after, keyOf: before! }, format)]
  const filled = Object.fromEntries(
    Object.entries(after!).map(([name, text]) => [
      name,
      text === undefined ? before?.[name] : text,
    ]),
  )
  const moves = before !== null && keyNames(told.plan).some((name) => before[name] !== filled[name])
  if (!moves) return [change(told, { op, before, after: filled, keyOf: filled }, format)]
  return [
    change(told, { op: 'd', before, after: null, keyOf: before }, format),
    change(told, { op: 'c', before: null, after: filled, keyOf: filled }, format),
  ]
}

/** Goes through both in order; a value may have more behind what is wanted: its `source`. */
export function firstDifference(
  ours: readonly NewRecord[],
  wanted: readonly Wanted[],
): Difference | undefined {
  for (const [i, { key, value, op }] of wanted.entries()) {
    const record = ours[i]
    if (record === undefined) return whole('nothing', `a change ${op}`)
    const [ourKey, ourValue] = [textOf(record.key), textOf(record.value)]
    const end = matchPieces(ourValue, value)
    if (typeof end !== 'number') return end
    if (!ourValue.startsWith(',"source":{', end)) return whole(ourValue.slice(end), ',"source":{')
    if (!ourValue.slice(end).includes(`"op":"${op}"`)) return whole(ourValue.slice(end), op)
    JSON.parse(ourValue)
    const keyEnd = matchPieces(ourKey, key)
    if (typeof keyEnd !== 'number') return keyEnd
    if (keyEnd !== ourKey.length) return whole(ourKey, 'a key that ends')
  }
  const more = ours[wanted.length]
  return more === undefined ? undefined : whole(textOf(more.value), 'nothing')
}

function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? 'null' : Buffer.from(bytes).toString()
}

function whole(ours: string, wanted: string): Difference {
  return { column: '(the record)', type: '', text: null, ours: ours.slice(0, 500), wanted }
}

/** Where the pieces end, or the first that is another. */
function matchPieces(ours: string, pieces: readonly Piece[]): number | Difference {
  let at = 0
  for (const { column, type, text, label, json } of pieces) {
    const next = json.find((value) => ours.startsWith(label + value, at))
    if (next === undefined) {
      const wanted = label + json[0]
      return { column, type, text, ours: ours.slice(at, at + wanted.length + 40), wanted }
    }
    at += label.length + next.length
  }
  return at
}

interface Rows {
  readonly op: string
  readonly before: ToldRow | null
  readonly after: ToldRow | null
  readonly keyOf: ToldRow
}

function change({ plan }: Told, { op, before, after, keyOf }: Rows, format: Format): Wanted {
  const all = columnsOf(plan)
  const key = all.filter(({ name }) => keyNames(plan).includes(name))
  const image = (row: ToldRow | null, label: string) => {
    if (row === null) return [mark(`${label}null`)]
    // Of a row of which only the key was sent, the rest is absent; of others, it is unchanged.
    const columns = Object.keys(row).length === key.length ? key : all
    return rowPieces({ columns, row, format, label })
  }
  return {
    op,
    key: rowPieces({ columns: key, row: keyOf, format, label: '' }),
    value: [...image(before, '{"before":'), ...image(after, ',"after":')],
  }
}

function keyNames({ columns }: GeneratedTable): string[] {
  return ['id', ...columns.filter(({ key }) => key).map(({ name }) => name)]
}

interface Column {
  readonly name: string
  readonly shape: Shape
  readonly sql: string
}

function columnsOf({ columns }: GeneratedTable): readonly Column[] {
  const id: Column = {
    name: 'id',
    shape: { kind: 'base', name: 'int4', modifiers: [] },
    sql: 'int4',
  }
  return [id, ...columns.map(({ name, type: { shape, sql } }) => ({ name, shape, sql }))]
}

interface RowPlan {
  readonly columns: readonly Column[]
  readonly row: ToldRow
  readonly format: Format
  /** Before the first brace. */
  readonly label: string
}

/** An unchanged value that was not sent is left out in plain, and a placeholder in debezium. */
function rowPieces({ columns, row, format, label }: RowPlan): Piece[] {
  const shown = columns.filter(({ name }) => row[name] !== undefined || format === 'debezium')
  const pieces = shown.map(({ name, shape, sql }, i): Piece => {
    const text = row[name]
    return {
      ...{ column: name, type: sql, text: text === undefined ? '(unchanged)' : text },
      label: `${i === 0 ? `${label}{` : ','}${JSON.stringify(name)}:`,
      json: text === undefined ? placeholders : [jsonOf(shape, text, format)],
    }
  })
  return [...pieces, mark('}')]
}

function mark(label: string): Piece {
  return { column: '(frame)', type: '', text: null, label, json: [''] }
}

function jsonOf(shape: Shape, text: string | null, format: Format): string {
  if (text === null) return 'null'
  return format === 'plain' ? plainJson(shape, text) : debeziumJson(shape, text)
}

/** Debezium's placeholder in the shapes of columns. */
const placeholder = '__debezium_unavailable_value'
const bytes = Buffer.from(placeholder)
const placeholders: readonly string[] = [
  ...[placeholder, bytes.toString('base64'), [placeholder], [bytes.toString('base64')], [...bytes]],
  JSON.stringify({ [placeholder]: placeholder }),
].map((value) => JSON.stringify(value))

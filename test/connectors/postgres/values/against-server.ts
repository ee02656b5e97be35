import pg from 'pg'
import type { Test } from 'tap'
import {
  debeziumModes,
  plainModes,
  type ValueModes,
} from '../../../../connectors/postgres/values/modes.ts'
import { TypeCatalog } from '../../../../connectors/postgres/values/type-catalog.ts'
import { columnEncoder } from '../../../../connectors/postgres/values.ts'
import { usePostgres } from '../../../support/servers/use.ts'
import { encodeWith } from './encode.ts'

const settings = `set datestyle = iso; set intervalstyle = postgres; set timezone = 'UTC';
  set extra_float_digits = 3; set bytea_output = hex; set lc_monetary = 'C'`

export interface Comparison {
  readonly type: string
  /** SQL that makes the value of the text `raw`; a cast to the type if left out. */
  readonly given?: string
  /** SQL that makes of the value `v` what its JSON must be equal to. */
  readonly expected: string
  /** Settings for `expected` alone. */
  readonly under?: string
  /** Debezium's modes; plain values if left out. */
  readonly modes?: Partial<ValueModes>
}

/** Encodes values of the server; gives the first that is not as expected, or nothing. */
export type Compare = (
  comparison: Comparison,
  values: readonly string[],
) => Promise<string | undefined>

/** The server's text of values through the encoders, beside what the server says of them in SQL. */
export async function againstServer(t: Test, definitions = ''): Promise<Compare> {
  const { url, query } = await usePostgres(t)
  if (definitions !== '') await query(definitions)
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  await client.query(settings)
  const catalog = new TypeCatalog(async (sql, params) => {
    return (await client.query(sql, [...params])).rows
  })

  async function column(expression: string, given: string, values: readonly string[]) {
    const text = `select (${expression})::text from (select ${given} as v, row
      from unnest($1::text[]) with ordinality as raws(raw, row)) as values order by row`
    const { rows } = await client.query({ text, values: [values], rowMode: 'array' })
    return rows.map(([value]) => value as string)
  }

  return async ({ type, given = `raw::${type}`, expected, under, modes }, values) => {
    const { rows } = await client.query(`select $1::regtype::oid::int4 as oid`, [type])
    const { oid } = rows[0] as { oid: number }
    await catalog.load([oid])
    const format = modes === undefined ? plainModes : { ...debeziumModes, ...modes }
    const encoder = columnEncoder(catalog.get(oid)!, -1, format)!
    const texts = await column('v', given, values)
    if (under !== undefined) await client.query(under)
    const wanted = await column(expected, given, values)
    if (under !== undefined) await client.query(settings)
    const wrong = texts.findIndex((text, i) => !sameJson(encodeWith(encoder, text), wanted[i]!))
    if (wrong < 0) return undefined
    return `${texts[wrong]} became ${encodeWith(encoder, texts[wrong]!)}, not ${wanted[wrong]}`
  }
}

/** Equal whatever the order of members; numbers by their digits, or as doubles. */
function sameJson(json: string, expected: string): boolean {
  return canonical(json) === canonical(expected)
}

function canonical(json: string): string {
  const parsed: unknown = JSON.parse(json, (_, value: unknown, context?: { source: string }) => {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      return /[.e]/.test(context!.source) ? value : { digits: context!.source }
    }
    return sortMembers(value)
  })
  return JSON.stringify(parsed)
}

function sortMembers(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

import { CaseFault } from '../difference.ts'
import { isObject, parseJson } from '../json.ts'
import { markerOf } from '../markers.ts'
import type { ExpectedRecord } from './case.ts'
import type { Play } from './play.ts'

/**
 * What the database holds for every `{"$sql": "SELECT v FROM t"}`, by its path; t is the table of
 * the record, its row the one of the record's key. `(99999 x 19338)` behind it is the value in
 * short, which is checked. Throws on any other query.
 */
export async function readStored(
  records: readonly ExpectedRecord[],
  play: Play,
): Promise<ReadonlyMap<string, unknown>> {
  const stored = new Map<string, unknown>()
  for (const [i, record] of records.entries()) {
    for (const image of ['before', 'after'] as const) {
      const row = record[image]
      for (const [column, value] of isObject(row) ? Object.entries(row) : []) {
        const marker = markerOf(value)
        if (marker?.name !== '$sql') continue
        const found = await readColumn(String(marker.argument), record, play)
        stored.set(`records[${i}].${image}.${column}`, found)
      }
    }
  }
  return stored
}

async function readColumn(query: string, record: ExpectedRecord, play: Play): Promise<unknown> {
  const match = /^SELECT (\w+) FROM t(?: \((\d+) x (.+)\))?$/.exec(query)
  const [, namespace, table] = /^test_server\.([^.]+)\.(.+)$/.exec(record.topic ?? '') ?? []
  if (match === null || namespace === undefined || table === undefined || !isObject(record.key)) {
    throw new CaseFault(`the query '${query}' is not understood`)
  }
  const [, column = '', times, item = ''] = match
  const name = `${quote(namespace)}.${quote(table)}`
  const keys = Object.keys(record.key)
  const where = keys.map((key, i) => `${quote(key)} = $${i + 1}`).join(' AND ')
  const sql = `SELECT ${await asJson(play, name, column)}::text AS json FROM ${name} WHERE ${where}`
  const rows = await play.ask(sql, Object.values(record.key))
  if (rows.length !== 1) throw new CaseFault(`'${query}' finds ${rows.length} rows`)
  const found = parseJson(String(rows[0]!.json))
  if (times !== undefined) checkShort(found, Number(times), parseJson(item))
  return found
}

/** The type's JSON as the records carry it, made by the server instead of the connector. */
async function asJson(play: Play, table: string, column: string): Promise<string> {
  const rows = await play.ask(
    `SELECT format_type(atttypid, NULL) AS type FROM pg_attribute
      WHERE attrelid = $1::regclass AND attname = $2`,
    [table, column],
  )
  const type = String(rows[0]?.type)
  const value = quote(column)
  const list = (item: string) =>
    `(SELECT json_agg(${item} ORDER BY i) FROM unnest(${value}) WITH ORDINALITY AS l (e, i))`
  switch (type) {
    case 'text':
    case 'character varying':
      return `to_json(${value})`
    case 'hstore':
      return `hstore_to_json(${value})`
    case 'integer[]':
      return list('e')
    case 'date[]':
      return list("e - date '1970-01-01'")
    case 'bytea[]':
      return list("translate(encode(e, 'base64'), E'\\n', '')")
    case 'text[]':
    case 'character varying[]':
    case 'uuid[]':
    case 'json[]':
      return list('e::text')
    default:
      throw new CaseFault(`no stored value of type ${type} can be compared`)
  }
}

function checkShort(found: unknown, times: number, item: unknown): void {
  const agrees = Array.isArray(found) && found.length === times && found.every((e) => e === item)
  if (!agrees) throw new CaseFault(`the stored value is not ${times} times ${item}`)
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

import { textTemplate } from '../../src/core/document-id.ts'
import { endOfValue, skipSpace } from '../../src/core/json-scan.ts'
import { literalHead } from './keys.ts'

/** A text made from columns of a row, such as the key `customer:{customer_id}:orders`. */
export interface RowTemplate {
  readonly template: string
  /** What every text begins with. */
  readonly prefix: string
  /** Fields of the row, by name or as a path such as `customer.id`. */
  readonly columns: readonly string[]
  /** The text for a row; `null` if one of the columns is null; the column that it lacks. */
  readonly fill: (row: Row) => string | null | MissingColumn
}

/** A row as JSON bytes, and the record's key, which is asked for what the row lacks. */
export interface Row {
  readonly body: Uint8Array | null
  readonly key: Uint8Array | null
}

export interface MissingColumn {
  readonly missing: string
}

/**
 * Reads a template; one without columns stands for itself. Throws SyntaxError on one by which two
 * rows with different columns could give the same text.
 */
export function rowTemplate(template: string): RowTemplate {
  const prefix = literalHead(template)
  const isLiteral = !template.replaceAll('{{', '').replaceAll('}}', '').includes('{')
  if (isLiteral) return { template, prefix, columns: [], fill: () => prefix }
  const { columns, fill } = textTemplate(template)
  const paths = columns.map((column) => column.split('.'))
  return {
    template,
    prefix,
    columns,
    fill: (row) => {
      const values: string[] = []
      for (let i = 0; i < paths.length; i++) {
        const value = columnText(row, columns[i]!, paths[i]!)
        if (typeof value !== 'string') return value
        values.push(value)
      }
      return fill(values)
    },
  }
}

/** The text of a scalar: a string as it is, a number digit by digit. */
export function columnText(
  { body, key }: Row,
  column: string,
  path: readonly string[],
): string | null | MissingColumn {
  for (const bytes of [body, key]) {
    if (bytes === null) continue
    const place = placeOf(bytes, path)
    if (place === undefined) continue
    const { start, end } = place
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString()
    if (text === 'null') return null
    return text[0] === '"' ? (JSON.parse(text) as string) : text
  }
  return { missing: column }
}

interface Place {
  readonly start: number
  readonly end: number
}

function placeOf(bytes: Uint8Array, path: readonly string[]): Place | undefined {
  let place: Place | undefined = { start: skipSpace(bytes, 0), end: bytes.length }
  for (const name of path) {
    place = member(bytes, place.start, name)
    if (place === undefined) return undefined
  }
  return place
}

/** Where the value of a member of the object at `at` stands. */
function member(bytes: Uint8Array, start: number, name: string): Place | undefined {
  if (bytes[start] !== 0x7b) return undefined
  let at = skipSpace(bytes, start + 1)
  while (bytes[at] !== 0x7d) {
    const nameEnd = endOfValue(bytes, at)
    const value = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    const end = endOfValue(bytes, value)
    if (isName(bytes, at, nameEnd, name)) return { start: value, end }
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
  return undefined
}

function isName(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString()
  return text.includes('\\') ? JSON.parse(text) === name : text === `"${name}"`
}

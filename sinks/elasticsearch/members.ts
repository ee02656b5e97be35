import { ByteWriter } from '../../src/core/byte-writer.ts'
import { endOfValue, skipSpace } from '../../src/core/json-scan.ts'

/** A member of a JSON object, by where its bytes lie. */
interface Member {
  readonly name: string
  readonly start: number
  readonly end: number
}

/** The members of a row, unparsed: a number keeps its digits. Throws SyntaxError on other JSON. */
export function* membersOf(row: Uint8Array): Generator<Member> {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength)
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== 0x7b) throw new SyntaxError('a row must be a JSON object')
  at = skipSpace(bytes, at + 1)
  while (bytes[at] !== 0x7d) {
    const nameEnd = endOfValue(bytes, at)
    const name = JSON.parse(bytes.toString('utf8', at, nameEnd)) as string
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    const end = endOfValue(bytes, start)
    yield { name, start, end }
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
}

/** The text of one column: a string's content, or a number's digits. `undefined`: null or none. */
export function columnText(row: Uint8Array, column: string): string | undefined {
  for (const { name, start, end } of membersOf(row)) {
    if (name !== column) continue
    const text = Buffer.from(row.buffer, row.byteOffset + start, end - start).toString()
    if (text === 'null') return undefined
    return text.startsWith('"') ? (JSON.parse(text) as string) : text
  }
  return undefined
}

/** Which columns of a row become fields, and under which names. */
export interface FieldChoice {
  readonly include?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
  readonly rename?: Readonly<Record<string, string>> | undefined
}

/** The field that a column becomes; `undefined` if it becomes none. */
export function fieldNames({ include, exclude, rename }: FieldChoice) {
  const included = include && new Set(include)
  const excluded = new Set(exclude)
  const renamed = new Map(Object.entries(rename ?? {}))
  return (column: string): string | undefined => {
    if (excluded.has(column) || included?.has(column) === false) return undefined
    return renamed.get(column) ?? column
  }
}

/** Chooses and renames the members of rows, byte by byte. */
export function chooseFields(choice: FieldChoice): (row: Uint8Array) => Uint8Array {
  const fieldOf = fieldNames(choice)
  return (row) => {
    const out = new ByteWriter(row.length + 64)
    out.begin()
    out.byte(0x7b)
    for (const { name, start, end } of membersOf(row)) {
      const field = fieldOf(name)
      if (field === undefined) continue
      if (out.length > 1) out.byte(0x2c)
      out.utf8(`${JSON.stringify(field)}:`)
      out.copy(row, start, end)
    }
    out.byte(0x7d)
    return out.take()
  }
}

/** The row with one member more at its end. */
export function withMember(row: Uint8Array | null, name: string, json: string): Uint8Array {
  const head = row === null ? '' : Buffer.from(row).toString().trimEnd().slice(0, -1).trimEnd()
  const comma = head === '' || head === '{' ? '' : ','
  return Buffer.from(`${head || '{'}${comma}${JSON.stringify(name)}:${json}}`)
}

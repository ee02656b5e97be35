import { endOfValue, skipSpace } from '../../src/core/json-scan.ts'

/**
 * The columns of a row as fields and values, one after the other: texts as they are, all else as
 * its JSON. A column that is null has no field, as HGET says of it too. `undefined`: the document
 * is no object, or has no column to store.
 */
export function hashFields(body: Buffer): Buffer[] | undefined {
  let at = skipSpace(body, 0)
  if (body[at] !== 0x7b) return undefined
  const fields: Buffer[] = []
  at = skipSpace(body, at + 1)
  while (body[at] !== 0x7d) {
    const nameEnd = endOfValue(body, at)
    const start = skipSpace(body, skipSpace(body, nameEnd) + 1)
    const end = endOfValue(body, start)
    if (body[start] !== 0x6e) fields.push(textOf(body, at, nameEnd), textOf(body, start, end))
    at = skipSpace(body, end)
    if (body[at] === 0x2c) at = skipSpace(body, at + 1)
  }
  return fields.length === 0 ? undefined : fields
}

function textOf(body: Buffer, start: number, end: number): Buffer {
  if (body[start] !== 0x22) return body.subarray(start, end)
  const text = body.subarray(start + 1, end - 1)
  if (!text.includes(0x5c)) return text
  return Buffer.from(JSON.parse(body.toString('utf8', start, end)) as string)
}

import { endOfValue, skipSpace } from '../../core/json-scan.ts'

/** A change, its members apart: the rows as text, as only their schema tells how to read them. */
export interface EnvelopeText {
  readonly before: string | null
  readonly after: string | null
  readonly source: Readonly<Record<string, unknown>>
  readonly op: string
  readonly transaction: Readonly<Record<string, unknown>> | null
  readonly [member: string]: unknown
}

/** Splits Debezium's envelope; integers stay exact. Throws SyntaxError if it is none. */
export function parseEnvelope(change: Uint8Array): EnvelopeText {
  const bytes = Buffer.from(change.buffer, change.byteOffset, change.length)
  const members: Record<string, unknown> = { before: null, after: null, transaction: null }
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== 0x7b) throw new SyntaxError('a change must be a JSON object')
  at = skipSpace(bytes, at + 1)
  while (bytes[at] !== 0x7d) {
    const nameEnd = endOfValue(bytes, at)
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    const end = endOfValue(bytes, start)
    const name = JSON.parse(bytes.toString('utf8', at, nameEnd)) as string
    const text = bytes.toString('utf8', start, end)
    const isState = name === 'before' || name === 'after'
    members[name] = !isState ? exact(text) : text === 'null' ? null : text
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
  if (members.op === undefined) throw new SyntaxError('a change must have an "op"')
  return members as unknown as EnvelopeText
}

/** Integers as bigints. */
function exact(text: string): unknown {
  return JSON.parse(text, (_, value: unknown, context?: { readonly source: string }) => {
    const isInteger = typeof value === 'number' && /^-?\d+$/.test(context!.source)
    return isInteger ? BigInt(context!.source) : value
  })
}

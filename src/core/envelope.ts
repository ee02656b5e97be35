import { endOfValue, skipSpace } from './json-scan.ts'
import { type NewRecord, rowHeader, unreadableHeader } from './record.ts'

/** create, update, delete, read (snapshot), truncate, logical message: Debezium's letters. */
export type Op = 'c' | 'u' | 'd' | 'r' | 't' | 'm'

/** The parts of a change, still as JSON bytes: views into the record's value. */
export interface Envelope {
  readonly op: Op
  readonly before: Uint8Array | null
  readonly after: Uint8Array | null
}

/**
 * What a record says: of a tombstone, of a row alone (`rowHeader`), or of an envelope. Throws
 * SyntaxError if it is none of them.
 */
export function readChange({ value, headers }: NewRecord): Envelope {
  const unreadable = headers?.[unreadableHeader]
  if (unreadable !== undefined) throw new SyntaxError(unreadable)
  if (value === null) return { op: 'd', before: null, after: null }
  const op = headers?.[rowHeader]
  return op === undefined ? readEnvelope(value) : { op: op as Op, before: null, after: value }
}

/**
 * Finds the parts of a Debezium envelope, `{"before":…,"after":…,"source":{…},"op":"c",…}`, without
 * parsing the rows. Members may come in any order; a value that is no envelope throws SyntaxError.
 */
export function readEnvelope(value: Uint8Array): Envelope {
  const envelope: { op?: Op; before: Uint8Array | null; after: Uint8Array | null } = {
    before: null,
    after: null,
  }
  let at = skipSpace(value, 0)
  if (value[at] !== 0x7b) throw new SyntaxError('a change must be a JSON object')
  at = skipSpace(value, at + 1)
  while (value[at] !== 0x7d) {
    const nameEnd = endOfValue(value, at)
    const start = skipSpace(value, skipSpace(value, nameEnd) + 1)
    const end = endOfValue(value, start)
    keep(envelope, value, { name: at, nameEnd, start, end })
    at = skipSpace(value, end)
    if (value[at] === 0x2c) at = skipSpace(value, at + 1)
  }
  const { op, before, after } = envelope
  if (op === undefined) throw new SyntaxError('a change must have an "op"')
  return { op, before, after }
}

interface Member {
  readonly name: number
  readonly nameEnd: number
  readonly start: number
  readonly end: number
}

function keep(
  envelope: { op?: Op; before: Uint8Array | null; after: Uint8Array | null },
  value: Uint8Array,
  { name, nameEnd, start, end }: Member,
): void {
  const length = nameEnd - name
  if (length === 4 && isAt(value, name, opName)) envelope.op = readOp(value, start, end)
  else if (value[start] === 0x6e) return
  else if (length === 7 && isAt(value, name, afterName)) envelope.after = value.subarray(start, end)
  else if (length === 8 && isAt(value, name, beforeName)) {
    envelope.before = value.subarray(start, end)
  }
}

const opName = Buffer.from('"op"')
const afterName = Buffer.from('"after"')
const beforeName = Buffer.from('"before"')

function isAt(value: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (value[at + i] !== name[i]) return false
  return true
}

const ops: { readonly [byte: number]: Op | undefined } = {
  99: 'c',
  117: 'u',
  100: 'd',
  114: 'r',
  116: 't',
  109: 'm',
}

function readOp(value: Uint8Array, start: number, end: number): Op {
  const op = end - start === 3 && value[start] === 0x22 ? ops[value[start + 1]!] : undefined
  if (op === undefined) throw new SyntaxError('"op" must be one of c, u, d, r, t, m')
  return op
}

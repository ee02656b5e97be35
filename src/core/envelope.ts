import { endOfValue, skipSpace } from './json-scan.ts'

/** create, update, delete, read (snapshot), truncate, logical message: Debezium's letters. */
export type Op = 'c' | 'u' | 'd' | 'r' | 't' | 'm'

/** The parts of a change, still as JSON bytes: views into the record's value. */
export interface Envelope {
  readonly op: Op
  readonly before: Uint8Array | null
  readonly after: Uint8Array | null
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

/** Members are told apart by length and first letter: "op", "after", "before". */
function keep(
  envelope: { op?: Op; before: Uint8Array | null; after: Uint8Array | null },
  value: Uint8Array,
  { name, nameEnd, start, end }: Member,
): void {
  const length = nameEnd - name - 2
  const first = value[name + 1]
  const isNull = value[start] === 0x6e
  if (length === 2 && first === 0x6f) envelope.op = String.fromCharCode(value[start + 1]!) as Op
  else if (isNull) return
  else if (length === 5 && first === 0x61) envelope.after = value.subarray(start, end)
  else if (length === 6 && first === 0x62) envelope.before = value.subarray(start, end)
}

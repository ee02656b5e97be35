import type { Json } from '../../core/json.ts'

/*
 * A value in a state of the operators on records: JSON text in which a bigint is the string of its
 * digits after U+0001, and a string that begins with U+0001 has it twice.
 */

const mark = '\u0001'

/** Keeps every digit of bigints, and that they are bigints. */
export function encodeValue(value: Json): string {
  return JSON.stringify(value, markBigint)
}

export function decodeValue(text: string): Json {
  // The mark is written as an escape, so that most texts are recognised as having none.
  return JSON.parse(text, text.includes('"\\u0001') ? unmark : undefined) as Json
}

/** The text of a key: the same for equal keys, whatever the order of an object's members. */
export function encodeKey(key: Json): string {
  if (typeof key === 'bigint') return String(key)
  return JSON.stringify(key, canonical)
}

function markBigint(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return mark + value
  return typeof value === 'string' && value.startsWith(mark) ? mark + value : value
}

function unmark(_name: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(mark)) return value
  return value[1] === mark ? value.slice(1) : BigInt(value.slice(1))
}

/** Integers are written by their digits, so that 1n and 1 are the same key. */
function canonical(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return rawDigits(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map((name) => [name, (value as Record<string, unknown>)[name]]))
}

function rawDigits(value: bigint): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value))
}

/** The key of such a text; an integer that a double cannot hold becomes a bigint. */
export function decodeKey(text: string): Json {
  return JSON.parse(text, exactInteger) as Json
}

function exactInteger(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}

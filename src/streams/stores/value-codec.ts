import type { Json } from '../../core/json.ts'

/*
 * A value in a state of the operators on records: JSON text in which a bigint is the string of its
 * digits after U+0001, and a string that begins with U+0001 has it twice.
 */

const mark = '\u0001'

/**
 * Keeps every digit of bigints, and that they are bigints. `JSON.stringify` takes half as long
 * without a replacer, and most values need none.
 */
export function encodeValue(value: Json): string {
  return isPlain(value) ? JSON.stringify(value) : JSON.stringify(value, markBigint)
}

/** Whether there is nothing to mark in it. */
function isPlain(value: Json): boolean {
  if (typeof value === 'string') return value.charCodeAt(0) !== 1
  if (typeof value !== 'object') return typeof value !== 'bigint'
  if (Array.isArray(value)) return value.every(isPlain)
  // Members that it has inherited are not its value, but there are none.
  for (const name in value) if (!isPlain((value as Members)[name]!)) return false
  return true
}

interface Members {
  readonly [name: string]: Json
}

export function decodeValue(text: string): Json {
  // The mark is written as an escape, so that most texts are recognised as having none.
  return JSON.parse(text, text.includes('"\\u0001') ? unmark : undefined) as Json
}

/**
 * The text of a key: the same for equal keys, whatever the order of an object's members. Integers
 * are written by their digits, so that 1n and 1 are the same key. Written out, as every record goes
 * through here several times: 0.03 µs for a number instead of 0.12 with a replacer, 0.45 for a
 * window's key instead of 0.7.
 */
export function encodeKey(key: Json): string {
  if (typeof key === 'number') return Number.isFinite(key) ? String(key) : 'null'
  if (typeof key === 'bigint') return String(key)
  if (typeof key !== 'object' || key === null) return JSON.stringify(key)
  return Array.isArray(key) ? `[${key.map(encodeItem).join(',')}]` : encodeMembers(key as Members)
}

/** As in JSON, what is missing in a list is null. */
function encodeItem(item: Json | undefined): string {
  return item === undefined ? 'null' : encodeKey(item)
}

function encodeMembers(members: Members): string {
  if (typeof members.toJSON === 'function') return JSON.stringify(members)
  let text = ''
  for (const name of Object.keys(members).sort()) {
    const value = members[name]
    if (value === undefined) continue
    text += `${text === '' ? '{' : ','}${JSON.stringify(name)}:${encodeKey(value)}`
  }
  return text === '' ? '{}' : `${text}}`
}

function markBigint(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return mark + value
  return typeof value === 'string' && value.startsWith(mark) ? mark + value : value
}

function unmark(_name: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(mark)) return value
  return value[1] === mark ? value.slice(1) : BigInt(value.slice(1))
}

/** The key of such a text; an integer that a double cannot hold becomes a bigint. */
export function decodeKey(text: string): Json {
  // A number that a double holds needs no second look: most keys are one.
  const number = text.length < 16 ? Number(text) : Number.NaN
  if (Number.isSafeInteger(number)) return number
  return JSON.parse(text, exactInteger) as Json
}

function exactInteger(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}

import type { Json } from '../../src/core/json.ts'

/** Parses JSON without losing digits: an integer that a double cannot hold becomes a bigint. */
export function parseJson(text: string): Json {
  return JSON.parse(text, keepDigits)
}

function keepDigits(this: unknown, _key: string, value: unknown, context?: { source?: string }) {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}

/** One line of JSON for people; bigints by their digits, and what is not there by its name. */
export function printJson(value: unknown): string {
  if (value === undefined) return 'nothing'
  return JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? rawDigits(item) : item))
}

function rawDigits(value: bigint): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value))
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

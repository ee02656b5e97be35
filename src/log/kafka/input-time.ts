import type { Json } from '../../core/json.ts'
import type { InputOptions } from './topic-options.ts'

const perMs = { s: 0.001, ms: 1, us: 1_000, ns: 1_000_000 } as const

/** The time that a value names, in ms since 1970: a number, or a text as ISO 8601 has it. */
export function timeIn(
  value: Json,
  { timestamp, 'timestamp.unit': unit }: Pick<InputOptions, 'timestamp' | 'timestamp.unit'>,
): number | undefined {
  if (timestamp === undefined) return undefined
  const found = memberAt(value, timestamp)
  const isDigits = typeof found === 'string' && /^-?\d+$/.test(found)
  if (typeof found === 'number' || isDigits) return Math.floor(Number(found) / perMs[unit])
  const ms = typeof found === 'string' ? Date.parse(found) : Number.NaN
  return Number.isFinite(ms) ? ms : undefined
}

/** `source.ts_ms`; a change's column may be named without `after`. */
function memberAt(value: Json, path: string): Json | undefined {
  let at: Json | undefined = value
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || Array.isArray(at)) return undefined
    at = (at as { readonly [name: string]: Json })[name]
  }
  return at
}

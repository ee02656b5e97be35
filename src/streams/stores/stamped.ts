import type { Json } from '../../core/json.ts'
import { decodeValue, encodeValue } from './value-codec.ts'

/** A value and the time of the record that made it, in ms since 1970. */
export interface Stamped {
  readonly value: Json
  readonly timestamp: number
}

/** `<timestamp> <JSON>` */
export function encodeStamped({ value, timestamp }: Stamped): string {
  return `${timestamp} ${encodeValue(value)}`
}

export function decodeStamped(text: string): Stamped {
  const end = text.indexOf(' ')
  return { timestamp: Number(text.slice(0, end)), value: decodeValue(text.slice(end + 1)) }
}

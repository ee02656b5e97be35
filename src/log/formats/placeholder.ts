import { createHash } from 'node:crypto'

/** What Debezium writes in place of a large column that did not change: unchanged TOAST. */
const text = '__debezium_unavailable_value'
const bytes = Buffer.from(text)
const base64 = bytes.toString('base64')
const numbers = [...bytes]
const uuid = uuidOf(bytes)

const written = [text, base64, numbers.join(','), uuid].map((each) => Buffer.from(each))

/** Whether JSON may hold the placeholder; if not, nothing needs to be looked for. */
export function mayHoldPlaceholder(json: Buffer): boolean {
  return written.some((each) => json.includes(each))
}

/**
 * Whether a value is the placeholder, in the shape of its column: text, bytes, a map of one, an
 * array of one, the bytes as numbers, or a UUID made of them.
 */
export function isPlaceholder(value: unknown): boolean {
  if (typeof value === 'string') return value === text || value === base64 || value === uuid
  if (typeof value !== 'object' || value === null) return false
  if (Buffer.isBuffer(value)) return value.equals(bytes)
  if (!Array.isArray(value)) return (value as Readonly<Record<string, unknown>>)[text] === text
  if (value.length === 1) return isPlaceholder(value[0])
  return value.length === bytes.length && value.every((each, i) => Number(each) === numbers[i])
}

/** As Java makes a UUID of a name: version 3, its MD5. */
function uuidOf(name: Buffer): string {
  const hash = createHash('md5').update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x30
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex')
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([a, b]) => hex.slice(a, b))
    .join('-')
}

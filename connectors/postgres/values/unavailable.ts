import { createHash } from 'node:crypto'
import type { Encoding } from './encoder.ts'
import type { ValueModes } from './modes.ts'

/**
 * Debezium's placeholder for a TOASTed value that the server did not send, in the shape of the
 * column: a string, an array of one, the placeholder's bytes one by one, a hash as uuid.
 */
export function unavailableValue(
  typeName: string,
  { kind, element }: Encoding,
  modes: ValueModes,
): Buffer {
  const bytes = placeholderBytes(modes.unavailable)
  const text = JSON.stringify(bytes.toString())
  return Buffer.from(shape())

  function shape(): string {
    if (kind === 'bytes' || typeName === 'bytea') return JSON.stringify(binary())
    if (typeName.endsWith('hstore')) {
      const object = `{${text}:${text}}`
      return modes.hstore === 'map' ? object : JSON.stringify(object)
    }
    if (kind !== 'array') return text
    if (typeName === 'uuid[]') return JSON.stringify([nameUuid(bytes)])
    if (element === 'number' || element === 'int8') return JSON.stringify([...bytes])
    return element === 'bytes' || typeName === 'bytea[]' ? JSON.stringify([binary()]) : `[${text}]`
  }

  function binary(): string {
    const url = modes.binary === 'base64-url-safe'
    const safe = (base64: string) =>
      url ? base64.replaceAll('+', '-').replaceAll('/', '_') : base64
    return modes.binary === 'hex' ? bytes.toString('hex') : safe(bytes.toString('base64'))
  }
}

function placeholderBytes(placeholder: string): Buffer {
  return placeholder.startsWith('hex:')
    ? Buffer.from(placeholder.slice('hex:'.length), 'hex')
    : Buffer.from(placeholder)
}

/** RFC 4122 version 3 without a namespace, as Java's UUID.nameUUIDFromBytes. */
function nameUuid(name: Buffer): string {
  const hash = createHash('md5').update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x30
  hash[8] = (hash[8]! & 0x3f) | 0x80
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

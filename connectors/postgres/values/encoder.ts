import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import type { ColumnKind } from '../../../src/core/schema.ts'

/**
 * Writes one JSON value for the text that the server sent in `input[start, end)`. Never called for
 * SQL NULL: the caller writes `null`. The bytes written hold no line break, so that a row stays one
 * line.
 */
export type ValueEncoder = (out: ByteWriter, input: Buffer, start: number, end: number) => void

/** An encoder and what it makes of the values. */
export interface Encoding {
  readonly encode: ValueEncoder
  readonly kind: ColumnKind
  /** For `array` only. */
  readonly element?: ColumnKind
}

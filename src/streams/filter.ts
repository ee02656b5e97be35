import type { Json, Row } from '../core/json.ts'
import type { RowMap } from './map-values.ts'

/**
 * Keeps the rows that pass. A row that stops passing leaves the result, and one that starts passing
 * enters it.
 */
export function keepRows(passes: (row: Row, key: Json) => boolean): RowMap {
  return (row, key) => (passes(row, key) ? row : null)
}

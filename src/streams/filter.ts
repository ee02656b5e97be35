import type { Row } from '../core/json.ts'
import type { RowMap } from './map-values.ts'

/**
 * Keeps the rows that pass. A row that stops passing leaves the result, and one that starts passing
 * enters it.
 */
export function keepRows(passes: (row: Row) => boolean): RowMap {
  return (row) => (passes(row) ? row : null)
}

/**
 * How a column's value looks in JSON, so that no reader has to guess from the value:
 * - `number`: fits a double exactly (int2, int4, float4, float8, oid);
 * - `int8`: an integer in bare digits that may lie beyond 2^53;
 * - `decimal`: exact digits in a string;
 * - `boolean`, `string`; `json`: any JSON, nested;
 * - `bytes`: base64 in a string; `date`, `time`, `timestamp`, `timestamptz`: ISO 8601 in a string;
 * - `array`: a JSON array whose elements look like `element`.
 */
export type ColumnKind =
  | 'number'
  | 'int8'
  | 'decimal'
  | 'boolean'
  | 'string'
  | 'json'
  | 'bytes'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'array'

export interface Column {
  readonly name: string
  readonly kind: ColumnKind
  /** The type's name at the origin, for mappings: `int4`, `numeric(10,2)`, `public.mood`. */
  readonly type: string
  /** Part of the record's key. */
  readonly key: boolean
  /** For `array` only. */
  readonly element?: ColumnKind
}

/**
 * The shape of a topic's rows from one record on. Immutable: a changed relation makes a new one.
 */
export interface Schema {
  readonly columns: readonly Column[]
}

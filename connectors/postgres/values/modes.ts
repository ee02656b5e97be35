/**
 * How values look in JSON: a format, which has defaults for all else, and Debezium's options, which
 * mean the same in both formats; but where `plain` has ISO 8601 or exact digits of its own, a mode
 * that asks for a string means those.
 */
export interface ValueModes {
  /**
   * `plain`: exact, ISO 8601 and nested. `debezium`: what Debezium's JSON converter prints without
   * schemas.
   */
  readonly format: 'debezium' | 'plain'
  readonly decimal: 'precise' | 'string' | 'double'
  readonly timePrecision:
    | 'adaptive'
    | 'adaptive_time_microseconds'
    | 'connect'
    | 'isostring'
    | 'microseconds'
    | 'nanoseconds'
    | 'structured'
  readonly binary: 'bytes' | 'base64' | 'base64-url-safe' | 'hex'
  readonly hstore: 'json' | 'map'
  readonly interval: 'numeric' | 'string'
  readonly moneyFractionDigits: number
  /** Of `debezium`: whether columns of unknown types appear, as their text in bytes. */
  readonly includeUnknown: boolean
  /** Stands for an unchanged value that the server did not send; `hex:` before bytes in hex. */
  readonly unavailable: string
}

/** Debezium's defaults. */
export const debeziumModes: ValueModes = {
  format: 'debezium',
  decimal: 'precise',
  timePrecision: 'adaptive',
  binary: 'bytes',
  hstore: 'json',
  interval: 'numeric',
  moneyFractionDigits: 2,
  includeUnknown: false,
  unavailable: '__debezium_unavailable_value',
}

/** Exact numbers, ISO 8601 times, nested JSON. */
export const plainModes: ValueModes = {
  format: 'plain',
  decimal: 'string',
  timePrecision: 'isostring',
  binary: 'bytes',
  hstore: 'map',
  interval: 'string',
  moneyFractionDigits: 2,
  includeUnknown: true,
  unavailable: '__debezium_unavailable_value',
}

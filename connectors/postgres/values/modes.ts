/** How values look in JSON: Debezium's option values, and the format that sets their defaults. */
export interface ValueModes {
  /**
   * `plain`: exact, ISO 8601 and nested; only `unavailable` of the other modes matters.
   * `debezium`: what Debezium's JSON converter prints without schemas, in the modes below.
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
  /** Whether columns of types that Debezium does not know appear, as their text in bytes. */
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
export const plainModes: ValueModes = { ...debeziumModes, format: 'plain' }

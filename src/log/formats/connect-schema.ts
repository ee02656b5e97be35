/** A schema as Kafka Connect has it; those of Avro are brought to the same form. */
export interface ConnectSchema {
  readonly type: string
  /** What the values mean, such as `io.debezium.time.Date`. */
  readonly name?: string
  readonly parameters?: Readonly<Record<string, string>>
  readonly optional?: boolean
  /** Of an array. */
  readonly items?: ConnectSchema
  /** Of a map. */
  readonly values?: ConnectSchema
  /** Of a struct. */
  readonly fields?: readonly ConnectMember[]
}

/** A struct's member. */
export interface ConnectMember extends ConnectSchema {
  /** The member's name among the values. */
  readonly field: string
  /** The column's own name, where `field` could not be it. */
  readonly column?: string
}

/** Whether values are Debezium's envelope. */
export function isEnvelope({ type, fields = [] }: ConnectSchema): boolean {
  const names = new Set(fields.map(({ field }) => field))
  return type === 'struct' && ['before', 'after', 'op'].every((name) => names.has(name))
}

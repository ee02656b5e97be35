import type { ConnectMember, ConnectSchema } from './connect-schema.ts'

/** Avro's own JSON. */
type AvroSchema = string | readonly AvroSchema[] | AvroObject

interface AvroObject {
  readonly type: AvroSchema
  readonly name?: string
  readonly namespace?: string
  readonly logicalType?: string
  readonly precision?: number
  readonly scale?: number
  readonly items?: AvroSchema
  readonly values?: AvroSchema
  readonly fields?: readonly (AvroField & { readonly name: string })[]
  readonly 'connect.name'?: string
  readonly 'connect.parameters'?: Readonly<Record<string, string>>
}

interface AvroField {
  readonly type: AvroSchema
  readonly 'connect.name'?: string
}

const types: Readonly<Record<string, string>> = {
  ...{ null: 'null', boolean: 'boolean', int: 'int32', long: 'int64', float: 'float' },
  ...{ double: 'double', bytes: 'bytes', string: 'string', enum: 'string', fixed: 'bytes' },
}

/** What Avro calls by a logical type is called as Connect and Debezium have it. */
const logicalNames: Readonly<Record<string, string>> = {
  ...{ date: 'io.debezium.time.Date', decimal: 'org.apache.kafka.connect.data.Decimal' },
  ...{ 'time-millis': 'io.debezium.time.Time', 'time-micros': 'io.debezium.time.MicroTime' },
  ...{ 'timestamp-millis': 'instant-millis', 'timestamp-micros': 'instant-micros' },
  'local-timestamp-millis': 'io.debezium.time.Timestamp',
  'local-timestamp-micros': 'io.debezium.time.MicroTimestamp',
}

/** Brings an Avro schema to Connect's form. Throws SyntaxError for a type that it does not name. */
export function fromAvroSchema(text: string): ConnectSchema {
  return new AvroReader().read(JSON.parse(text) as AvroSchema, '')
}

class AvroReader {
  /** By full name; a type may be named within itself, so what is being read is known, too. */
  readonly #named = new Map<string, ConnectSchema>()

  read(schema: AvroSchema, namespace: string): ConnectSchema {
    if (typeof schema === 'string') return this.#byName(schema, namespace)
    if (!('type' in schema)) return this.#union(schema as readonly AvroSchema[], namespace)
    const { type } = schema
    if (typeof type === 'object') return { ...this.read(type, namespace), ...meaningOf(schema) }
    if (type === 'record' || type === 'error') return this.#record(schema, namespace)
    if (type === 'array') {
      return { type: 'array', ...meaningOf(schema), items: this.read(schema.items!, namespace) }
    }
    if (type === 'map') {
      return { type: 'map', ...meaningOf(schema), values: this.read(schema.values!, namespace) }
    }
    const plain = { ...this.#byName(type, namespace), ...meaningOf(schema) }
    if (schema.name !== undefined) this.#named.set(fullName(schema, namespace), plain)
    return plain
  }

  #byName(name: string, namespace: string): ConnectSchema {
    const type = types[name]
    if (type !== undefined) return { type }
    const named = this.#named.get(name) ?? this.#named.get(`${namespace}.${name}`)
    if (named === undefined) throw new SyntaxError(`the Avro schema names no type ${name}`)
    return named
  }

  /** Of one type beside null; of several, values are taken as they come. */
  #union(branches: readonly AvroSchema[], namespace: string): ConnectSchema {
    const some = branches.map((each) => this.read(each, namespace))
    const others = some.filter(({ type }) => type !== 'null')
    return others.length === 1 ? { ...others[0]!, optional: true } : { type: 'any', optional: true }
  }

  #record(schema: AvroObject, outer: string): ConnectSchema {
    const full = fullName(schema, outer)
    const namespace = full.includes('.') ? full.slice(0, full.lastIndexOf('.')) : ''
    const fields: ConnectMember[] = []
    const record: ConnectSchema = { type: 'struct', ...meaningOf(schema), fields }
    this.#named.set(full, record)
    for (const field of schema.fields ?? []) {
      const column = field['connect.name']
      fields.push({
        ...this.read(field.type, namespace),
        ...{ field: field.name, ...(column !== undefined && { column }) },
      })
    }
    return record
  }
}

function fullName({ name = '', namespace }: AvroObject, outer: string): string {
  if (name.includes('.')) return name
  const inside = namespace ?? outer
  return inside === '' ? name : `${inside}.${name}`
}

function meaningOf(schema: AvroObject): Pick<ConnectSchema, 'name' | 'parameters'> {
  const { logicalType, scale = 0, precision } = schema
  const logical = logicalType === undefined ? undefined : logicalNames[logicalType]
  const name = schema['connect.name'] ?? logical
  const digits = { scale: String(scale), precision: String(precision) }
  const parameters = logicalType === 'decimal' ? digits : schema['connect.parameters']
  return { ...(name !== undefined && { name }), ...(parameters !== undefined && { parameters }) }
}

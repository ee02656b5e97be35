/*
 * Values that come with a schema, as the log has them: JSON text, by what the schema says that they
 * mean. Dates and times become ISO 8601 text, decimals their digits, JSON in strings is nested. A
 * value comes from Avro, or from JSON, where integers beyond a double's are bigints.
 */
import { stringifyRow } from '../../core/row.ts'
import type { ColumnKind } from '../../core/schema.ts'
import { dateOf, timeOf, timestampOf } from './avro-time.ts'
import type { ConnectSchema } from './connect-schema.ts'

/** How a column's values are written, and what they are then. */
export interface Rendering {
  readonly kind: ColumnKind
  /** As Postgres would name the type. */
  readonly type: string
  readonly element?: ColumnKind
  /** The JSON text of a value that is not null. */
  readonly render: (value: unknown) => string
  /** Whether the text is that of the value as it came, if it came as JSON. */
  readonly isPlain: () => boolean
}

/** How values of a schema are written. */
export function renderingOf(schema: ConnectSchema): Rendering {
  const { type, name = '' } = schema
  const known = member(byName, name) ?? member(byType, type)
  return known?.(schema) ?? anything
}

/** The JSON text of a value, or null. */
export function rendered({ render }: Rendering, value: unknown): string {
  return value === null || value === undefined ? 'null' : render(value)
}

const yes = () => true
const no = () => false

const integer = (value: unknown) => String(value)
const text = (value: unknown) => (typeof value === 'string' ? JSON.stringify(value) : quoted(value))
const quoted = (value: unknown) => `"${String(value)}"`
const number = (type: string): Rendering => ({
  ...{ kind: 'number', type, isPlain: yes },
  render: numberText,
})

const anything: Rendering = {
  ...{ kind: 'json', type: 'jsonb', isPlain: yes },
  render: (value) => stringifyRow(readable(value)),
}

const strings: Rendering = { kind: 'string', type: 'text', render: text, isPlain: yes }

const int8: Rendering = { kind: 'int8', type: 'int8', render: integer, isPlain: yes }

const byType: Readonly<Record<string, (schema: ConnectSchema) => Rendering>> = {
  int8: () => number('int2'),
  int16: () => number('int2'),
  int32: () => number('int4'),
  int64: () => int8,
  float: () => ({ ...number('float4'), render: floatText }),
  double: () => number('float8'),
  boolean: () => ({ kind: 'boolean', type: 'bool', render: String, isPlain: yes }),
  string: () => strings,
  bytes: () => ({
    ...{ kind: 'bytes', type: 'bytea', isPlain: yes },
    render: (value) => `"${bytesOf(value).toString('base64')}"`,
  }),
  array: ({ items }) => arrayOf(renderingOf(items ?? { type: 'any' })),
  map: ({ values }) => mapOf(renderingOf(values ?? { type: 'any' })),
  struct: (schema) => structOf(schema),
}

const isoText = (kind: ColumnKind, type: string): Rendering => ({ ...strings, kind, type })

function moment(kind: ColumnKind, micros: (value: unknown) => bigint): () => Rendering {
  const suffix = kind === 'timestamptz' ? 'Z' : ''
  const render = (value: unknown) => `"${timestampOf(micros(value), suffix)}"`
  return () => ({ kind, type: kind, render, isPlain: no })
}

function timeOfDay(micros: (value: unknown) => bigint): () => Rendering {
  const render = (value: unknown) => `"${timeOf(micros(value))}"`
  return () => ({ kind: 'time', type: 'time', render, isPlain: no })
}

const micros = (value: unknown) => BigInt(value as bigint)
/** The infinities of Postgres are the same whatever the unit. */
const ofMillis = (value: unknown) => BigInt(value as bigint) * 1_000n
const ofNanos = (value: unknown) => BigInt(value as bigint) / 1_000n

const date = (): Rendering => ({
  ...{ kind: 'date', type: 'date', isPlain: no },
  render: (value) => `"${dateOf(Number(value))}"`,
})

const byName: Readonly<Record<string, (schema: ConnectSchema) => Rendering>> = {
  'io.debezium.time.Date': date,
  'org.apache.kafka.connect.data.Date': date,
  'io.debezium.time.Time': timeOfDay(ofMillis),
  'org.apache.kafka.connect.data.Time': timeOfDay(ofMillis),
  'io.debezium.time.MicroTime': timeOfDay(micros),
  'io.debezium.time.NanoTime': timeOfDay(ofNanos),
  'io.debezium.time.Timestamp': moment('timestamp', ofMillis),
  'org.apache.kafka.connect.data.Timestamp': moment('timestamp', ofMillis),
  'io.debezium.time.MicroTimestamp': moment('timestamp', micros),
  'io.debezium.time.NanoTimestamp': moment('timestamp', ofNanos),
  'instant-millis': moment('timestamptz', ofMillis),
  'instant-micros': moment('timestamptz', micros),
  'io.debezium.time.ZonedTimestamp': () => isoText('timestamptz', 'timestamptz'),
  'io.debezium.time.IsoDate': () => isoText('date', 'date'),
  'io.debezium.time.IsoTime': () => isoText('time', 'time'),
  'io.debezium.time.IsoTimestamp': () => isoText('timestamp', 'timestamp'),
  'io.debezium.data.Uuid': () => isoText('string', 'uuid'),
  'io.debezium.data.Json': () => ({
    ...{ kind: 'json', type: 'jsonb', isPlain: no },
    // Line breaks can only stand between values, and a document must be one line.
    render: (value) => (value as string).replaceAll(/[\r\n]/g, ' '),
  }),
  'org.apache.kafka.connect.data.Decimal': ({ parameters }) => decimal(parameters),
  'io.debezium.data.VariableScaleDecimal': () => ({
    ...{ kind: 'decimal', type: 'numeric', isPlain: no },
    render: (value) => {
      const { scale, value: unscaled } = value as { scale: number; value: unknown }
      return `"${digitsOf(unscaledOf(unscaled), scale)}"`
    },
  }),
}

function decimal(parameters: ConnectSchema['parameters'] = {}): Rendering {
  const scale = Number(parameters.scale ?? 0)
  const precision = parameters.precision ?? parameters['connect.decimal.precision']
  const type = precision === undefined ? 'numeric' : `numeric(${precision},${scale})`
  const render = (value: unknown) => `"${digitsOf(unscaledOf(value), scale)}"`
  return { kind: 'decimal', type, render, isPlain: no }
}

function arrayOf(item: Rendering): Rendering {
  return {
    ...{ kind: 'array', type: `_${item.type}`, element: item.kind, isPlain: item.isPlain },
    render: (value) => {
      return `[${(value as readonly unknown[]).map((each) => rendered(item, each)).join(',')}]`
    },
  }
}

function mapOf(item: Rendering): Rendering {
  return {
    ...{ kind: 'json', type: 'jsonb', isPlain: item.isPlain },
    render: (value) =>
      objectText(
        Object.entries(value as object).map(([name, each]) => [name, rendered(item, each)]),
      ),
  }
}

/** Members that are not there are left out. A type of Avro's may have itself for a member. */
function structOf({ fields = [] }: ConnectSchema): Rendering {
  let members: readonly (Rendering & { readonly name: string })[] | undefined
  const known = () =>
    (members ??= fields.map((field) => ({ name: field.field, ...renderingOf(field) })))
  return {
    ...{ kind: 'json', type: 'jsonb' },
    isPlain: () => known().every(({ isPlain }) => isPlain()),
    render: (value) => {
      const given = value as Readonly<Record<string, unknown>>
      const present = known().filter(({ name }) => member(given, name) !== undefined)
      return objectText(present.map((each) => [each.name, rendered(each, given[each.name])]))
    },
  }
}

/** An object's own: a column may be called `toString`. */
export function member<T>(object: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

export function objectText(members: readonly (readonly [name: string, text: string])[]): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`
}

/** What JSON has no number for comes as text; a bigint is a large number in digits. */
function numberText(value: unknown): string {
  const isNumber = Number.isFinite(value) || typeof value === 'bigint'
  return isNumber ? String(value) : text(value)
}

/** The shortest number that has this float4. */
function floatText(value: unknown): string {
  if (!Number.isFinite(value)) return numberText(value)
  const float = value as number
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(float.toPrecision(digits))
    if (Math.fround(short) === Math.fround(float)) return String(short)
  }
  return numberText(float)
}

/** Base64, as Connect's JSON has bytes, or the bytes. */
function bytesOf(value: unknown): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : (value as Buffer)
}

/** Two's complement, the high byte first. */
function unscaledOf(value: unknown): bigint {
  const bytes = bytesOf(value)
  if (bytes.length === 0) return 0n
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
}

function digitsOf(value: bigint, scale: number): string {
  if (scale <= 0) return String(value * 10n ** BigInt(-scale))
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** Bytes as base64 also where nothing is known of them. */
function readable(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, readable(each)]))
}

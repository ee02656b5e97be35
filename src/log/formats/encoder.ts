import { readEnvelope } from '../../core/envelope.ts'
import { MillraceError } from '../../core/errors.ts'
import { type NewRecord, rowHeader } from '../../core/record.ts'
import type { Schema } from '../../core/schema.ts'
import type { RegistryClient } from '../registry/client.ts'
import { type Encoded, formatHeader, formatText, sentHeader, type TopicFormat } from './format.ts'
import { openShape, type Part, type Rows, type Shape } from './shape.ts'
import { frame } from './wire.ts'

/** A shape, and its id once the registry has given it one. */
interface Known {
  readonly shape: Shape
  id: number | undefined
}

type Parts = Readonly<Record<Part, Known>>

/** Turns records into the bytes of topics that others read. */
export class Encoder {
  readonly #format: TopicFormat
  readonly #text: string
  readonly #registry: RegistryClient | undefined
  readonly #known = new Map<string, WeakMap<Schema, Parts>>()

  /** `registry` is needed for `avro` and `json-schema`. */
  constructor(format: TopicFormat, registry?: RegistryClient) {
    this.#format = format
    this.#text = formatText(format)
    this.#registry = registry
  }

  /** Whether records like this one can be encoded; if not, `prepare` must be awaited before. */
  isReady(record: NewRecord): boolean {
    return this.#missing(record).length === 0
  }

  /**
   * Makes the shape of the record known to the registry. Throws SCHEMA_INCOMPATIBLE if that does
   * not allow it after those before: nothing of the new shape is written then.
   */
  async prepare(record: NewRecord): Promise<void> {
    for (const [part, known] of this.#missing(record)) {
      const { type, schema } = known.shape.registered!
      const subject = `${record.topic}-${part}`
      known.id = await this.#registry!.register(subject, JSON.stringify(schema), type)
    }
  }

  /** Throws VALUE_UNFIT for what the format cannot hold. */
  encode(record: NewRecord): Encoded {
    const { key, value } = record
    const parts = this.#parts(record)
    const hasValue = value !== null && !isRowsTruncate(record)
    try {
      const sent = hasValue ? parts.value.shape.sentBefore?.(value) : undefined
      return {
        key: key && encodeAs(parts.key, key),
        value: hasValue ? encodeAs(parts.value, value) : null,
        headers: {
          [formatHeader]: this.#text,
          ...(sent && { [sentHeader]: JSON.stringify(sent) }),
        },
      }
    } catch (error) {
      if (error instanceof MillraceError || !(error instanceof Error)) throw error
      throw unfit(record, this.#text, error)
    }
  }

  #missing(record: NewRecord): (readonly [Part, Known])[] {
    const { key, value } = this.#parts(record)
    const used: (readonly [Part, Known])[] = []
    if (record.key !== null && isUnknown(key)) used.push(['key', key])
    const hasValue = record.value !== null && !isRowsTruncate(record)
    if (hasValue && isUnknown(value)) used.push(['value', value])
    return used
  }

  #parts(record: NewRecord): Parts {
    const { topic, schema } = record
    const hold = holding(record)
    const place = `${hold} ${topic}`
    let bySchema = this.#known.get(place)
    if (bySchema === undefined) this.#known.set(place, (bySchema = new WeakMap()))
    let parts = bySchema.get(schema ?? noSchema)
    if (parts === undefined) {
      parts = this.#open({ topic, schema, hold })
      bySchema.set(schema ?? noSchema, parts)
    }
    return parts
  }

  #open(rows: Rows): Parts {
    const open = (part: Part) => ({
      shape: openShape(this.#format[part], part, rows),
      id: undefined,
    })
    return { key: open('key'), value: open('value') }
  }
}

const noSchema: Schema = { columns: [] }

function isUnknown({ shape, id }: Known): boolean {
  return shape.registered !== undefined && id === undefined
}

function encodeAs({ shape, id }: Known, bytes: Uint8Array): Uint8Array {
  if (shape.registered === undefined) return shape.encode(bytes)
  if (id === undefined) throw new MillraceError('SERVER_ERROR', 'A shape was not prepared.')
  return frame(id, shape.encode(bytes))
}

/** Records of rows have a schema, also those that hold none, such as tombstones. */
function holding({ schema, headers, value }: NewRecord): Rows['hold'] {
  if (headers?.[rowHeader] !== undefined) return 'rows'
  if (schema !== undefined) return 'changes'
  return value !== null && isChange(value) ? 'changes' : 'documents'
}

function isChange(value: Uint8Array): boolean {
  try {
    return readEnvelope(value).op !== 'm'
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** In a topic of rows there is no row that could say it: it is a tombstone without a key. */
function isRowsTruncate({ headers }: NewRecord): boolean {
  return headers?.[rowHeader] === 't'
}

function unfit({ topic, key }: NewRecord, format: string, cause: Error): MillraceError {
  const which = key === null ? '' : ` with the key ${Buffer.from(key).toString().slice(0, 200)}`
  const message = `A record of ${topic}${which} cannot be written as ${format}: ${cause.message}.`
  return new MillraceError('VALUE_UNFIT', message, { cause })
}

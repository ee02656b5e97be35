import avro from 'avsc'
import { type NewRecord, rowHeader, unchangedHeader } from '../../core/record.ts'
import type { Schema } from '../../core/schema.ts'
import type { RegistryClient } from '../registry/client.ts'
import { fromAvroSchema } from './avro-schema.ts'
import { avroOptions } from './avro-type.ts'
import { ConnectReader } from './connect-reader.ts'
import {
  type Encoded,
  type FormatName,
  formatHeader,
  sentHeader,
  type TopicFormat,
} from './format.ts'
import { type Decoded, type Holes, RowReader } from './row-reader.ts'
import type { Part } from './shape.ts'
import { isFramed, unframe } from './wire.ts'

/**
 * Reads what was written in the formats of a topic, by us or by others: by the schema that it was
 * written with, which it names or brings with it.
 */
export class Decoder {
  readonly #format: TopicFormat
  readonly #registry: RegistryClient | undefined
  readonly #avro = new Map<number, AvroReader>()
  readonly #connect = new ConnectReader()

  /** `registry` is needed for `avro`. */
  constructor(format: TopicFormat, registry?: RegistryClient) {
    this.#format = format
    this.#registry = registry
  }

  /** Whether the schemas behind the record are known; if not, `learn` must be awaited before. */
  isReady(record: Pick<NewRecord, Part>): boolean {
    return this.#unknown(record).length === 0
  }

  /** Throws SERVER_ERROR if the registry does not know a schema. */
  async learn(record: Pick<NewRecord, Part>): Promise<void> {
    for (const id of this.#unknown(record)) {
      const text = await this.#registry!.schema(id)
      this.#avro.set(id, new AvroReader(text))
    }
  }

  /** Throws SyntaxError or RangeError if the bytes are of another format. */
  decode(part: Part, bytes: Uint8Array, holes?: Holes): Decoded {
    switch (this.#format[part]) {
      case 'avro': {
        const { id, body } = unframe(bytes)
        return this.#avro.get(id)!.read(body, holes)
      }
      case 'json-schema':
        return { bytes: unframe(bytes).body, columns: [] }
      case 'connect':
        return this.#connect.read(bytes, holes)
      case 'json':
        return { bytes, columns: [] }
    }
  }

  /** A record of ours as it was before it was encoded. */
  decodeOwn({ key, value, schema, headers = {} }: NewRecord): Encoded {
    const { [sentHeader]: sent, [formatHeader]: _, ...own } = headers
    const sentBefore = sent && { sentBefore: JSON.parse(sent) as readonly string[] }
    const without = JSON.parse(headers[unchangedHeader] ?? '[]') as readonly string[]
    const holes = { without, found: [], ...sentBefore }
    const isTruncate = value === null && headers[rowHeader] === 't'
    const whole = value && this.#own('value', value, schema, holes)
    return {
      key: key && this.#own('key', key, schema),
      value: isTruncate ? truncate : whole,
      headers: Object.keys(own).length > 0 ? own : undefined,
    }
  }

  /** Only what has a schema was written with it. */
  #own(part: Part, bytes: Uint8Array, schema: Schema | undefined, holes?: Holes): Uint8Array {
    if (schema === undefined && this.#format[part] === 'connect') return bytes
    return this.decode(part, bytes, holes).bytes
  }

  #unknown({ key, value }: Pick<NewRecord, Part>): number[] {
    const ids: number[] = []
    const look = (format: FormatName, bytes: Uint8Array | null) => {
      if (format !== 'avro' || bytes === null || !isFramed(bytes)) return
      const { id } = unframe(bytes)
      if (!this.#avro.has(id)) ids.push(id)
    }
    look(this.#format.key, key)
    look(this.#format.value, value)
    return ids
  }
}

/** Reads the keys or values of one schema in a registry. */
class AvroReader {
  readonly #type: avro.Type
  readonly #rows: RowReader

  constructor(text: string) {
    this.#type = avro.Type.forSchema(JSON.parse(text) as avro.Schema, avroOptions())
    this.#rows = new RowReader(fromAvroSchema(text))
  }

  read(body: Buffer, holes?: Holes): Decoded {
    const text = this.#rows.read(this.#type.fromBuffer(body), holes)
    return { bytes: Buffer.from(text), columns: this.#rows.columns }
  }
}

/** A topic of rows has nothing that could say more. */
const truncate = Buffer.from('{"before":null,"after":null,"op":"t"}')

import { MillraceError } from '../../core/errors.ts'
import { unreadableHeader } from '../../core/record.ts'
import { Decoder } from '../formats/decoder.ts'
import { Encoder } from '../formats/encoder.ts'
import { formatHeader, parseFormat, type TopicFormat, usesRegistry } from '../formats/format.ts'
import { RegistryClient } from '../registry/client.ts'
import type { Found } from './headers.ts'
import { InputReader } from './input.ts'
import type { KafkaOptions, RegistryOptions } from './options.ts'
import { tlsOf } from './security.ts'
import { formatOf, type InputOptions, ruleOf } from './topic-options.ts'

/** How the topics of a log look to other programs, and how those of others are read. */
export class Formats {
  readonly #options: KafkaOptions
  /** By topic; null where records are written as they are. */
  readonly #encoders = new Map<string, Encoder | null>()
  /** By topic; null where nobody said that others write it. */
  readonly #inputs = new Map<string, InputReader | null>()
  /** By what `millrace.format` says. */
  readonly #decoders = new Map<string, Decoder>()
  #registry: RegistryClient | undefined

  constructor(options: KafkaOptions) {
    this.#options = options
  }

  /** `undefined` for a topic whose records are written as they are. */
  encoder(topic: string): Encoder | undefined {
    let encoder = this.#encoders.get(topic)
    if (encoder === undefined) {
      const format = formatOf(topic, this.#options)
      encoder = isPlain(format) ? null : new Encoder(format, this.#registryFor(format))
      this.#encoders.set(topic, encoder)
    }
    return encoder ?? undefined
  }

  /**
   * Reads records in place: ours by the format that they name, those of others as `input` says. One
   * that is not what was expected keeps its bytes, and a header says why: whoever would take it
   * refuses it.
   */
  async read(records: readonly Found[]): Promise<void> {
    for (const record of records) {
      const format = record.isForeign ? undefined : record.headers?.[formatHeader]
      const input = record.isForeign ? this.#inputOf(record.topic) : null
      if (format === undefined && input === null) continue
      try {
        if (input !== null) await input.read(record)
        else await this.#readOwn(record, format!)
      } catch (error) {
        if (error instanceof MillraceError || !(error instanceof Error)) throw error
        record.headers = { ...record.headers, [unreadableHeader]: error.message }
      }
    }
  }

  /** How a topic that others write is to be read. */
  input(topic: string): InputOptions | undefined {
    return ruleOf(this.#options.topics, topic)?.input
  }

  close(): void {
    this.#registry?.close()
  }

  async #readOwn(record: Found, format: string): Promise<void> {
    let decoder = this.#decoders.get(format)
    if (decoder === undefined) this.#decoders.set(format, (decoder = this.#decoderFor(format)))
    if (!decoder.isReady(record)) await decoder.learn(record)
    Object.assign(record, decoder.decodeOwn(record))
  }

  #decoderFor(text: string): Decoder {
    const format = parseFormat(text)
    if (format === undefined) {
      throw new MillraceError('LOG_FORMAT', `A record has the format ${text}.`)
    }
    return new Decoder(format, this.#registryFor(format))
  }

  #inputOf(topic: string): InputReader | null {
    let reader = this.#inputs.get(topic)
    if (reader === undefined) {
      const input = this.input(topic)
      reader = input === undefined ? null : this.#openInput(input)
      this.#inputs.set(topic, reader)
    }
    return reader
  }

  #openInput(input: InputOptions): InputReader {
    const format = InputReader.formatOf(input)
    return new InputReader(input, new Decoder(format, this.#registryFor(format)))
  }

  #registryFor(format: TopicFormat): RegistryClient | undefined {
    const { registry } = this.#options
    if (!usesRegistry(format)) return undefined
    if (registry === undefined) {
      throw new MillraceError(
        'CONFIG_INVALID',
        'Records name schemas of a registry: give `log.registry`.',
      )
    }
    this.#registry ??= openRegistry(registry)
    return this.#registry
  }
}

function isPlain({ key, value }: TopicFormat): boolean {
  return key === 'json' && value === 'json'
}

export function openRegistry({ url, timeoutMs, tls }: RegistryOptions): RegistryClient {
  return new RegistryClient({ url, timeoutMs, ...(tls && { tls: tlsOf(tls) }) })
}

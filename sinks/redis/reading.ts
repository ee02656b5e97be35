import { decodeCheckpoint } from '../../src/core/checkpoint.ts'
import type { IdOf } from '../../src/core/document-id.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import { guessKey, type Reading, type StoredDocument } from '../../src/core/reading.ts'
import type { Position } from '../../src/core/source.ts'
import { hashFields } from './hash-fields.ts'
import {
  defaultTemplate,
  documentKey,
  type KeyTemplate,
  keyTemplate,
  type Place,
  placeOf,
  stampKey,
  stampPattern,
} from './keys.ts'
import type { RedisOptions } from './options.ts'
import { Servers } from './servers.ts'
import { readStamp } from './stamp.ts'

/** Keys asked for at a time; the server does nothing else meanwhile. */
const pageKeys = 500

/**
 * Reads documents by their stamps, which tell ours from those of others. What a scan meets twice is
 * told twice. The text of a hash is an object of texts.
 */
export class RedisReading implements Reading {
  readonly idOf: IdOf
  readonly expires: boolean
  readonly render?: (body: Uint8Array) => string
  readonly #servers: Servers
  readonly #keys: KeyTemplate
  readonly #place: Place
  readonly #as: RedisOptions['as']
  #connected: Promise<void> | undefined

  constructor(options: RedisOptions, context: SinkContext) {
    this.#servers = new Servers(options, `millrace/${context.pipeline}/${context.name}/reading`)
    this.#keys = keyTemplate(options.key ?? defaultTemplate(context.topic))
    this.#place = placeOf(context)
    this.#as = options.as
    this.idOf = this.#keys.keyOf
    this.expires = options.ttlMs !== undefined
    if (options.as === 'hash') this.render = (body) => objectOf(hashFields(Buffer.from(body)) ?? [])
  }

  keyOf(id: string): Uint8Array | undefined {
    return guessKey(id, this.idOf, this.#keys.template)
  }

  async checkpoint(): Promise<Position | null> {
    const { checkpoint } = this.#place
    const [text] = await this.#texts([checkpoint])
    return text == null ? null : decodeCheckpoint(text, checkpoint).position
  }

  async count(): Promise<number> {
    const ids = new Set<string>()
    for await (const { id, doc } of this.all()) if (doc !== null) ids.add(id)
    return ids.size
  }

  async *all(): AsyncGenerator<StoredDocument> {
    await this.#connect()
    const stamps = this.#servers.scan(stampPattern(this.#keys.prefix))
    for await (const page of stamps) yield* await this.some(page.map(documentKey))
  }

  async some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    const documents: StoredDocument[] = []
    for (let at = 0; at < ids.length; at += pageKeys) {
      documents.push(...(await this.#page(ids.slice(at, at + pageKeys))))
    }
    return documents
  }

  async close(): Promise<void> {
    await this.#servers.close()
  }

  /** Stamp and document are two keys, so a write may come in between: the stamp is read twice. */
  async #page(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    const marks = ids.map(stampKey)
    for (;;) {
      const before = await this.#texts(marks)
      const docs = await this.#documents(ids)
      const after = await this.#texts(marks)
      if (before.some((stamp, i) => stamp !== after[i])) continue
      return ids.flatMap((id, i) => {
        const stamp = readStamp(before[i] ?? '')
        if (stamp === undefined || stamp.owner !== this.#place.owner) return []
        return { id, version: stamp.version, doc: stamp.deleted ? null : (docs[i] ?? null) }
      })
    }
  }

  async #documents(ids: readonly string[]): Promise<readonly (string | null)[]> {
    if (this.#as === 'string') return this.#texts(ids)
    if (this.#as === 'json') return Promise.all(ids.map((id) => this.#ask('JSON.GET', id)))
    const hashes = await Promise.all(ids.map((id) => this.#ask<string[]>('HGETALL', id)))
    return hashes.map((fields) => (fields.length === 0 ? null : objectOf(fields)))
  }

  async #texts(keys: readonly string[]): Promise<readonly (string | null)[]> {
    await this.#connect()
    return this.#servers.texts(keys)
  }

  async #ask<T = string | null>(name: string, key: string): Promise<T> {
    await this.#connect()
    return (await this.#servers.command(name, key)) as T
  }

  #connect(): Promise<void> {
    this.#connected ??= this.#servers.connect()
    return this.#connected
  }
}

function objectOf(fields: readonly (string | Buffer)[]): string {
  const entries: [string, string][] = []
  for (let i = 0; i < fields.length; i += 2)
    entries.push([String(fields[i]), String(fields[i + 1])])
  return JSON.stringify(Object.fromEntries(entries))
}

import { decodeCheckpoint } from '../../src/core/checkpoint.ts'
import type { IdOf } from '../../src/core/document-id.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import { guessKey, type Reading, type StoredDocument } from '../../src/core/reading.ts'
import type { Position } from '../../src/core/source.ts'
import { RedisClient } from './client.ts'
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
  readonly #client: RedisClient
  readonly #keys: KeyTemplate
  readonly #place: Place
  readonly #isHash: boolean
  #connected: Promise<void> | undefined

  constructor(options: RedisOptions, context: SinkContext) {
    this.#client = new RedisClient(options, `millrace/${context.pipeline}/${context.name}/reading`)
    this.#keys = keyTemplate(options.key ?? defaultTemplate(context.topic))
    this.#place = placeOf(context)
    this.#isHash = options.as === 'hash'
    this.idOf = this.#keys.keyOf
    this.expires = options.ttlMs !== undefined
    if (this.#isHash) this.render = (body) => objectOf(hashFields(Buffer.from(body)) ?? [])
  }

  keyOf(id: string): Uint8Array | undefined {
    return guessKey(id, this.idOf, this.#keys.template)
  }

  async checkpoint(): Promise<Position | null> {
    const { checkpoint } = this.#place
    const text = (await this.#ask('GET', checkpoint)) as string | null
    return text === null ? null : decodeCheckpoint(text, checkpoint).position
  }

  async count(): Promise<number> {
    const ids = new Set<string>()
    for await (const { id, doc } of this.all()) if (doc !== null) ids.add(id)
    return ids.size
  }

  async *all(): AsyncGenerator<StoredDocument> {
    let cursor = '0'
    do {
      const pattern = stampPattern(this.#keys.prefix)
      const found = await this.#ask('SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000')
      const [next, stamps] = found as [string, string[]]
      yield* await this.some(stamps.map(documentKey))
      cursor = next
    } while (cursor !== '0')
  }

  async some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    const documents: StoredDocument[] = []
    for (let at = 0; at < ids.length; at += pageKeys) {
      documents.push(...(await this.#page(ids.slice(at, at + pageKeys))))
    }
    return documents
  }

  async close(): Promise<void> {
    await this.#client.close()
  }

  /** Stamp and document are two keys, so a write may come in between: the stamp is read twice. */
  async #page(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    const marks = ids.map(stampKey)
    for (;;) {
      const before = (await this.#ask('MGET', ...marks)) as readonly (string | null)[]
      const docs = await this.#documents(ids)
      const after = (await this.#ask('MGET', ...marks)) as readonly (string | null)[]
      if (before.some((stamp, i) => stamp !== after[i])) continue
      return ids.flatMap((id, i) => {
        const stamp = readStamp(before[i] ?? '')
        if (stamp === undefined || stamp.owner !== this.#place.owner) return []
        return { id, version: stamp.version, doc: stamp.deleted ? null : (docs[i] ?? null) }
      })
    }
  }

  async #documents(ids: readonly string[]): Promise<readonly (string | null)[]> {
    if (!this.#isHash) return (await this.#ask('MGET', ...ids)) as (string | null)[]
    const hashes = await Promise.all(ids.map((id) => this.#ask('HGETALL', id)))
    return hashes.map((fields) => {
      return (fields as string[]).length === 0 ? null : objectOf(fields as string[])
    })
  }

  async #ask(name: string, ...words: readonly string[]): Promise<unknown> {
    this.#connected ??= this.#client.connect()
    await this.#connected
    return this.#client.command(name, ...words)
  }
}

function objectOf(fields: readonly (string | Buffer)[]): string {
  const entries: [string, string][] = []
  for (let i = 0; i < fields.length; i += 2)
    entries.push([String(fields[i]), String(fields[i + 1])])
  return JSON.stringify(Object.fromEntries(entries))
}

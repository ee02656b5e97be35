import type { IdOf } from '../../../src/core/document-id.ts'
import type { SinkContext } from '../../../src/core/plugin.ts'
import { guessKey, type Reading, type StoredDocument } from '../../../src/core/reading.ts'
import type { Position } from '../../../src/core/source.ts'
import { hashFields } from '../hash-fields.ts'
import {
  defaultTemplate,
  documentKey,
  type KeyTemplate,
  keyTemplate,
  stampKey,
  stampPattern,
} from '../keys.ts'
import type { RedisOptions } from '../options.ts'
import { byPages, Glance } from './glance.ts'
import { asModuleKeeps } from './module-json.ts'

/**
 * Reads documents by their stamps, which tell ours from those of others. What a scan meets twice is
 * told twice. The text of a hash is an object of texts, that of JSON has the numbers that the
 * module keeps.
 */
export class DocumentReading implements Reading {
  readonly idOf: IdOf
  readonly expires: boolean
  readonly render?: (body: Uint8Array) => string
  readonly #glance: Glance
  readonly #keys: KeyTemplate
  readonly #as: RedisOptions['as']

  constructor(options: RedisOptions, context: SinkContext) {
    this.#glance = new Glance(options, context)
    this.#keys = keyTemplate(options.key ?? defaultTemplate(context.topic))
    this.#as = options.as
    this.idOf = this.#keys.keyOf
    this.expires = options.ttlMs !== undefined
    if (options.as === 'hash') this.render = (body) => objectOf(hashFields(Buffer.from(body)) ?? [])
    if (options.as === 'json') this.render = (body) => asModuleKeeps(Buffer.from(body).toString())
  }

  keyOf(id: string): Uint8Array | undefined {
    return guessKey(id, this.idOf, this.#keys.template)
  }

  checkpoint(): Promise<Position | null> {
    return this.#glance.checkpoint()
  }

  async count(): Promise<number> {
    const ids = new Set<string>()
    for await (const { id, doc } of this.all()) if (doc !== null) ids.add(id)
    return ids.size
  }

  async *all(): AsyncGenerator<StoredDocument> {
    for await (const page of this.#glance.scan(stampPattern(this.#keys.prefix))) {
      yield* await this.some(page.map(documentKey))
    }
  }

  some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    return byPages(ids, (page) => this.#page(page))
  }

  close(): Promise<void> {
    return this.#glance.close()
  }

  async #page(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    const found = await this.#glance.steady(ids.map(stampKey), () => this.#documents(ids))
    return found.flatMap(([stamp, doc], i) => {
      if (!this.#glance.isOurs(stamp)) return []
      return { id: ids[i]!, version: stamp.version, doc: stamp.deleted ? null : doc }
    })
  }

  async #documents(ids: readonly string[]): Promise<readonly (string | null)[]> {
    const glance = this.#glance
    if (this.#as === 'string') return glance.texts(ids)
    if (this.#as === 'json') {
      const texts = await Promise.all(ids.map((id) => glance.ask('JSON.GET', id)))
      return texts.map((text) => (text === null ? null : asModuleKeeps(text)))
    }
    const hashes = await Promise.all(ids.map((id) => glance.ask<string[]>('HGETALL', id)))
    return hashes.map((fields) => (fields.length === 0 ? null : objectOf(fields)))
  }
}

function objectOf(fields: readonly (string | Buffer)[]): string {
  const entries: [string, string][] = []
  for (let i = 0; i < fields.length; i += 2) {
    entries.push([String(fields[i]), String(fields[i + 1])])
  }
  return JSON.stringify(Object.fromEntries(entries))
}

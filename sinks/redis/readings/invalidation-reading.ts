import { type IdOf, keyId } from '../../../src/core/document-id.ts'
import type { SinkContext } from '../../../src/core/plugin.ts'
import type { Reading, StoredDocument, ToldState } from '../../../src/core/reading.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { changeOf } from '../forms/change.ts'
import { keysOf } from '../forms/invalidation.ts'
import { documentKey, stampKey, stampPattern } from '../keys.ts'
import type { RedisOptions } from '../options.ts'
import { type RowTemplate, rowTemplate } from '../row-template.ts'
import { readStamp } from '../stamp.ts'
import { byPages, Glance } from './glance.ts'

/**
 * Reads when keys of a cache were last invalidated: by the stamp, for as long as that is kept. What
 * readers have filled them with since is theirs, and not looked at.
 */
export class InvalidationReading implements Reading {
  readonly idOf: IdOf = keyId
  readonly expires = true
  readonly tellsDeletes = true
  readonly #glance: Glance
  readonly #templates: readonly RowTemplate[]

  constructor(options: RedisOptions, context: SinkContext) {
    this.#glance = new Glance(options, context)
    this.#templates = options.keys!.map(rowTemplate)
  }

  statesOf(record: LogRecord): readonly ToldState[] {
    const change = changeOf(record)
    if (typeof change === 'string' || 'code' in change) return []
    const keys = keysOf(change, this.#templates)
    return 'code' in keys ? [] : keys.map((id) => ({ id, doc: null }))
  }

  keyOf(): undefined {
    return undefined
  }

  checkpoint(): Promise<Position | null> {
    return this.#glance.checkpoint()
  }

  /** How many keys are remembered to have been invalidated. */
  async count(): Promise<number> {
    const ids = new Set<string>()
    for await (const { id } of this.all()) ids.add(id)
    return ids.size
  }

  async *all(): AsyncGenerator<StoredDocument> {
    for (const prefix of new Set(this.#templates.map((template) => template.prefix))) {
      for await (const page of this.#glance.scan(stampPattern(prefix))) {
        yield* await this.some(page.map(documentKey))
      }
    }
  }

  /** Also what another sink has invalidated: a key may hang on rows of several tables. */
  some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    return byPages(ids, async (page) => {
      const stamps = await this.#glance.texts(page.map(stampKey))
      return page.flatMap((id, i) => {
        const stamp = readStamp(stamps[i] ?? '')
        return stamp?.deleted ? { id, version: stamp.version, doc: null } : []
      })
    })
  }

  close(): Promise<void> {
    return this.#glance.close()
  }
}

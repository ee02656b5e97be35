import { createHash } from 'node:crypto'
import { type IdOf, idTemplate } from '../../src/core/document-id.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { foldDocuments } from '../../src/core/fold.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Schema } from '../../src/core/schema.ts'
import type { Checkpoint, Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { BulkWriter } from './bulk-writer.ts'
import { CheckpointDocument } from './checkpoint-document.ts'
import { ElasticsearchClient } from './client.ts'
import { mapColumns } from './mapping.ts'
import type { ElasticsearchOptions } from './options.ts'
import { indexOf, TargetIndex } from './target-index.ts'

/**
 * Keeps one index of Elasticsearch or OpenSearch in step with a topic. Documents carry the version
 * of their record, so the server itself drops what is older than what it holds.
 */
export class ElasticsearchSink implements Sink<LogRecord> {
  readonly #index: string
  readonly #config: string
  readonly #options: ElasticsearchOptions
  readonly #idOf: IdOf | undefined
  readonly #say: (line: string) => void
  readonly #client: ElasticsearchClient
  readonly #target: TargetIndex
  readonly #checkpoint: CheckpointDocument
  readonly #bulk: BulkWriter
  #mapped = new WeakSet<Schema>()

  constructor(options: ElasticsearchOptions, context: SinkContext) {
    const { pipeline, name } = context
    const index = options.index ?? indexOf(context)
    this.#index = index
    this.#options = options
    this.#config = digest({ index, id: options.id ?? null })
    this.#idOf = options.id === undefined ? undefined : idTemplate(options.id)
    this.#say = context.say
    this.#client = new ElasticsearchClient(options)
    this.#target = new TargetIndex(this.#client, {
      ...options,
      index,
      mark: { pipeline, sink: name },
    })
    this.#checkpoint = new CheckpointDocument(this.#client, context)
    this.#bulk = new BulkWriter(this.#client, index, options)
  }

  async resume(source: string): Promise<Position | undefined> {
    const known = this.#checkpoint.held?.target
    const stored = await this.#checkpoint.read()
    let target = await this.#target.ensure(stored?.target ?? known)
    if (stored?.target === target && !this.#continues(stored, source)) {
      this.#say(
        `The index ${this.#index} is emptied: it was filled in another way or by another log.`,
      )
      target = await this.#target.recreate()
    } else if (stored !== undefined && stored.target !== target) {
      this.#say(`The index ${this.#index} is not the one that was written: it is filled again.`)
    }
    return this.#claim(source, target)
  }

  async clear(source: string): Promise<void> {
    await this.#claim(source, await this.#target.recreate())
  }

  async write({ records }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    await this.#mapNewColumns(records)
    const fold = foldDocuments(records, this.#idOf)
    await this.#bulk.write(fold)
    return fold.outcomes
  }

  /** What a bulk answer says is durable already; left to see is whether the index is the same. */
  async commit(checkpoint: Checkpoint): Promise<void> {
    const target = await this.#target.identity()
    if (target !== this.#checkpoint.held?.target) {
      const what = target === undefined ? 'is gone' : 'was replaced or rolled back'
      throw new MillraceError('TARGET_CHANGED', `The index ${this.#index} ${what}.`)
    }
    await this.#checkpoint.advance(checkpoint)
  }

  async close(): Promise<void> {
    this.#bulk.close()
    this.#client.close()
  }

  /** Whether what is in the index was written from this source, and under the same ids. */
  #continues(
    stored: { readonly source: string; readonly config: string },
    source: string,
  ): boolean {
    return stored.source === source && stored.config === this.#config
  }

  async #claim(source: string, target: string): Promise<Position | undefined> {
    this.#mapped = new WeakSet()
    const held = await this.#checkpoint.claim({ source, target, config: this.#config })
    return held.position ?? undefined
  }

  /** Columns enter the mapping before the first document that has them. */
  async #mapNewColumns(records: readonly LogRecord[]): Promise<void> {
    for (const { schema } of records) {
      if (schema === undefined || this.#mapped.has(schema)) continue
      await this.#target.addFields({ ...mapColumns(schema), ...this.#explicitFields() })
      this.#mapped.add(schema)
    }
  }

  #explicitFields(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
    return (this.#options.mapping ?? {}) as Record<string, Record<string, unknown>>
  }
}

function digest(options: object): string {
  return createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 16)
}

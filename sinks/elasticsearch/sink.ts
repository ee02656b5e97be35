import { configDigest } from '../../src/core/checkpoint.ts'
import { idTemplate } from '../../src/core/document-id.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { foldDocuments } from '../../src/core/fold.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Schema } from '../../src/core/schema.ts'
import type { Checkpoint, Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { BulkWriter, type Write } from './bulk-writer.ts'
import { CheckpointDocument } from './checkpoint-document.ts'
import { Cleaning } from './cleaning.ts'
import { ElasticsearchClient } from './client.ts'
import { type Deletes, deletesOf, fieldsOfDeleted, liveOnly } from './deletes.ts'
import { IndexFamily } from './index-family.ts'
import { Lease } from './lease.ts'
import { type Fields, mapColumns } from './mapping.ts'
import { fieldNames } from './members.ts'
import type { ElasticsearchOptions } from './options.ts'
import { isFamily, placement } from './placement.ts'
import { Shape } from './shape.ts'
import { isSide, nextName, previousName } from './sides.ts'
import { indexOf, TargetIndex } from './target-index.ts'

/**
 * Keeps an index of Elasticsearch or OpenSearch in step with a topic. Documents carry the version
 * of their record, so the server itself drops what is older than what it holds.
 */
export class ElasticsearchSink implements Sink<LogRecord> {
  readonly overlaps = true
  readonly #index: string
  readonly #config: string
  readonly #options: ElasticsearchOptions
  readonly #context: SinkContext
  readonly #client: ElasticsearchClient
  readonly #target: TargetIndex | IndexFamily
  readonly #checkpoint: CheckpointDocument
  readonly #lease: Lease
  readonly #shape: Shape
  readonly #bulk: BulkWriter
  readonly #cleaning: Cleaning
  #mapped = new WeakSet<Schema>()
  #isAtEnd = false

  constructor(options: ElasticsearchOptions, context: SinkContext) {
    const { pipeline, name } = context
    const deletes = deletesOf(options, context)
    const index = options.index ?? indexOf(context)
    this.#index = index
    this.#options = options
    this.#context = context
    this.#config = configDigest(shapeOf(options))
    this.#client = new ElasticsearchClient(options)
    this.#checkpoint = new CheckpointDocument(this.#client, context)
    this.#lease = new Lease(options.leaseMs, () => this.#checkpoint.assertHeld())
    const before = () => this.#lease.assert()
    this.#bulk = new BulkWriter(this.#client, index, { ...options, before })
    const target = {
      ...{ index, dynamic: options.dynamic, settings: options.settings },
      ...{ gcDeletes: options.gcDeletes, mark: { pipeline, sink: name } },
      mapping: { ...fieldsOfDeleted(deletes), ...(options.mapping as Fields | undefined) },
      alias: options.alias === undefined ? {} : { [options.alias]: aliasOf(deletes) },
    }
    this.#target = isFamily(index)
      ? new IndexFamily(this.#client, target)
      : new TargetIndex(this.#client, target)
    this.#shape = new Shape({
      ...{ deletes, fields: options.fields, placeOf: placement(index, options.routing) },
      mayLieIn: (name) => this.#target.has(name),
    })
    const parts = { client: this.#client, bulk: this.#bulk, index, say: context.say }
    this.#cleaning = new Cleaning(parts, deletes, options.tombstonesForMs)
  }

  async resume(source: string): Promise<Position | undefined> {
    const known = this.#checkpoint.held?.target
    const stored = await this.#checkpoint.read()
    const target = await this.#target.ensure(stored?.target ?? known)
    if (stored === undefined) return this.#fill({ source, target })
    const isSame = stored.target === target
    if (isSame && stored.source === source && stored.config === this.#config) {
      return this.#claim({ source, target })
    }
    if (isSame) {
      this.#say('is emptied: it was filled in another way or by another log.')
      return this.#claim({ source, target: await this.#target.recreate() })
    }
    const position = await this.#positionOfSide(target)
    if (position !== undefined) {
      this.#say('was exchanged for another that is as well known: it goes on from there.')
      return this.#claim({ source, target, reached: position })
    }
    this.#say('is not the one that was written: it is filled again.')
    return this.#fill({ source, target })
  }

  async clear(source: string): Promise<void> {
    await this.#claim({ source, target: await this.#target.recreate() })
  }

  async write({ records, atEnd }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    await this.#mapNewColumns(records)
    const { id } = this.#options
    const fold = foldDocuments(records, id === undefined ? undefined : idTemplate(id))
    const writes = this.#shape.writes(fold)
    await this.#makeIndexes(writes)
    await this.#bulk.write(writes)
    this.#isAtEnd = atEnd === true
    return fold.outcomes
  }

  /** What a bulk answer says is durable already; left to see is whether the index is the same. */
  async commit(checkpoint: Checkpoint): Promise<void> {
    const isAtEnd = this.#isAtEnd // The next batch may be written meanwhile.
    const target = await this.#target.identity()
    const held = this.#checkpoint.held!
    if (target === undefined || !this.#target.isSame(held.target, target)) {
      const what = target === undefined ? 'is gone' : 'was replaced or rolled back'
      throw new MillraceError('TARGET_CHANGED', `The index ${this.#index} ${what}.`)
    }
    const isSwept = held.sweep !== undefined && isAtEnd
    if (isSwept) await this.#cleaning.sweep(held.sweep!)
    await this.#cleaning.removeOldTombstones()
    const askedAt = performance.now()
    await this.#checkpoint.advance(checkpoint, { target, isSwept })
    this.#lease.renew(askedAt)
  }

  async close(): Promise<void> {
    this.#bulk.close()
    this.#client.close()
  }

  /**
   * From the beginning, into an index that may hold documents. What has no row is removed in the
   * end, unless another sink, or another topic of this one, writes to the same index.
   */
  async #fill(claimed: Claimed): Promise<Position | undefined> {
    const sweep = await this.#target.placesToSweep(() => this.#checkpoint.isAlone(claimed.target))
    return this.#claim({ ...claimed, ...(sweep !== undefined && { sweep }) })
  }

  async #claim(claimed: Claimed): Promise<Position | undefined> {
    this.#mapped = new WeakSet()
    const askedAt = performance.now()
    const held = await this.#checkpoint.claim({ ...claimed, config: this.#config })
    this.#lease.renew(askedAt)
    return held.position ?? undefined
  }

  /** How far the index had come that now has the name, if it was filled beside the other. */
  async #positionOfSide(target: string): Promise<Position | undefined> {
    const { name } = this.#context
    if (isSide(name)) return undefined
    for (const side of [nextName(name), previousName(name)]) {
      const place = { ...this.#context, name: side }
      const stored = await new CheckpointDocument(this.#client, place).read()
      if (stored?.target === target && stored.config === this.#config) {
        return stored.position ?? undefined
      }
    }
    return undefined
  }

  /** Columns enter the mapping before the first document that has them. */
  async #mapNewColumns(records: readonly LogRecord[]): Promise<void> {
    for (const { schema } of records) {
      if (schema === undefined || this.#mapped.has(schema)) continue
      await this.#target.addFields({ ...this.#mapColumns(schema), ...this.#explicitFields() })
      this.#mapped.add(schema)
    }
  }

  #mapColumns(schema: Schema): Fields {
    const { fields } = this.#options
    if (fields === undefined) return mapColumns(schema)
    const nameOf = fieldNames(fields)
    const columns = schema.columns.flatMap((column) => {
      const name = nameOf(column.name)
      return name === undefined ? [] : [{ ...column, name }]
    })
    return mapColumns({ columns })
  }

  #explicitFields(): Fields {
    return (this.#options.mapping ?? {}) as Fields
  }

  /** Of a family; the indexes that are written for the first time. */
  async #makeIndexes(writes: readonly Write[]): Promise<void> {
    if (!(this.#target instanceof IndexFamily)) return
    const names = new Set(writes.map(({ index }) => index))
    for (const name of names) if (name !== undefined) await this.#target.make(name)
  }

  #say(what: string): void {
    this.#context.say(`The index ${this.#index} ${what}`)
  }
}

interface Claimed {
  readonly source: string
  readonly target: string
  readonly reached?: Position
  readonly sweep?: string
}

/** What decides how documents look, and under which ids: with another, the index is filled anew. */
function shapeOf({ id, fields, routing, deletes }: ElasticsearchOptions): object {
  return { id: id ?? null, fields, routing, deletes }
}

function aliasOf(deletes: Deletes): object {
  const filter = liveOnly(deletes)
  return filter === undefined ? {} : { filter }
}

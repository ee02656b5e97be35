import { configDigest } from '../../src/core/checkpoint.ts'
import { type IdOf, idTemplate } from '../../src/core/document-id.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { foldDocuments } from '../../src/core/fold.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Schema } from '../../src/core/schema.ts'
import type { Checkpoint, Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import type { Write } from './bulk-writer.ts'
import { CheckpointDocument } from './checkpoint-document.ts'
import { ElasticsearchClient } from './client.ts'
import { servingGeneration } from './generations.ts'
import { familyOf, IndexFamily } from './index-family.ts'
import { Lease } from './lease.ts'
import { type Fields, mapColumns } from './mapping.ts'
import { fieldNames } from './members.ts'
import type { ElasticsearchOptions } from './options.ts'
import { assemble, type Parts } from './parts.ts'
import { isFamily } from './placement.ts'
import { isSide, nextName, previousName } from './sides.ts'
import { indexOf } from './target-index.ts'

/**
 * Keeps an index of Elasticsearch or OpenSearch in step with a topic. Documents carry the version
 * of their record, so the server itself drops what is older than what it holds.
 */
export class ElasticsearchSink implements Sink<LogRecord> {
  readonly overlaps = true
  readonly #config: string
  readonly #idOf: IdOf | undefined
  readonly #options: ElasticsearchOptions
  readonly #context: SinkContext
  readonly #client: ElasticsearchClient
  readonly #checkpoint: CheckpointDocument
  readonly #lease: Lease
  #parts: Parts
  #mapped = new WeakSet<Schema>()
  #isAtEnd = false

  constructor(options: ElasticsearchOptions, context: SinkContext) {
    this.#idOf = options.id === undefined ? undefined : idTemplate(options.id)
    this.#options = options
    this.#context = context
    this.#config = configDigest(shapeOf(options))
    this.#client = new ElasticsearchClient(options)
    this.#checkpoint = new CheckpointDocument(this.#client, context)
    this.#lease = new Lease(options.leaseMs, () => this.#checkpoint.assertHeld())
    this.#parts = this.#assemble(options.index ?? indexOf(context))
  }

  async resume(source: string): Promise<Position | undefined> {
    const known = this.#checkpoint.held?.target
    const stored = await this.#checkpoint.read()
    await this.#turnTo(stored?.target ?? known)
    const { target: place } = this.#parts
    const target = await place.ensure(stored?.target ?? known)
    if (stored === undefined) return this.#fill({ source, target })
    const isSame = stored.target === target
    if (isSame && stored.source === source && stored.config === this.#config) {
      return this.#claim({ source, target })
    }
    if (isSame) {
      if (stored.source === source) this.#assertMayReshape()
      this.#say('is emptied: it was filled in another way or by another log.')
      return this.#claim({ source, target: await place.recreate() })
    }
    const side = await this.#side()
    if (side !== undefined) {
      this.#say('was exchanged for another that is as well known: it goes on from there.')
      return this.#claim({ source, ...side })
    }
    this.#say('is not the one that was written: it is filled again.')
    return this.#fill({ source, target: await place.ensure(stored.target) })
  }

  async clear(source: string): Promise<void> {
    await this.#claim({ source, target: await this.#parts.target.recreate() })
  }

  /** Folding takes as long as the server takes for a tenth of what is folded. */
  async write(batch: Batch<LogRecord>): Promise<readonly Outcome[]> {
    const { records, atEnd } = batch
    const fold = foldDocuments(records, this.#idOf)
    await this.#mapNewColumns(records)
    const writes = this.#parts.shape.writes(fold)
    await this.#makeIndexes(writes)
    await this.#parts.bulk.write(writes)
    this.#isAtEnd = atEnd === true
    return fold.outcomes
  }

  /** What a bulk answer says is durable already; left to see is whether the index is the same. */
  async commit(checkpoint: Checkpoint): Promise<void> {
    const isAtEnd = this.#isAtEnd // The next batch may be written meanwhile.
    const target = await this.#parts.target.identity()
    const held = this.#checkpoint.held!
    if (target === undefined || !this.#parts.target.isSame(held.target, target)) {
      const what = target === undefined ? 'is gone' : 'was replaced or rolled back'
      throw new MillraceError('TARGET_CHANGED', `The index ${this.#parts.index} ${what}.`)
    }
    const isSwept = held.sweep !== undefined && isAtEnd
    if (isSwept) await this.#parts.cleaning.sweep(held.sweep!)
    await this.#parts.cleaning.removeOldTombstones()
    const askedAt = performance.now()
    await this.#checkpoint.advance(checkpoint, { target, isSwept })
    this.#lease.renew(askedAt)
  }

  async close(): Promise<void> {
    this.#parts.bulk.close()
    this.#client.close()
  }

  /**
   * From the beginning, into an index that may hold documents. What has no row is removed in the
   * end, unless another sink, or another topic of this one, writes to the same index.
   */
  async #fill(claimed: Claimed): Promise<Position | undefined> {
    const sweep = await this.#parts.target.placesToSweep(() =>
      this.#checkpoint.isAlone(claimed.target),
    )
    return this.#claim({ ...claimed, ...(sweep !== undefined && { sweep }) })
  }

  async #claim(claimed: Claimed): Promise<Position | undefined> {
    this.#mapped = new WeakSet()
    const askedAt = performance.now()
    const held = await this.#checkpoint.claim({ ...claimed, config: this.#config })
    this.#lease.renew(askedAt)
    return held.position ?? undefined
  }

  /** An index that serves is emptied for other options only where that is wanted. */
  #assertMayReshape(): void {
    if (this.#options.reshaped === 'refill') return
    const what = `The index ${this.#parts.index} was filled with another id, other fields, routing or deletes.`
    const fix =
      'Fill another beside it by `millrace reindex`, fill it anew by `millrace sink refill`, or put the options back.'
    throw new MillraceError('TARGET_MISCONFIGURED', `${what} ${fix}`)
  }

  /** Turns to the generation of a family that serves by now. */
  async #turnTo(known: string | undefined): Promise<void> {
    const { alias, index = '' } = this.#options
    if (alias === undefined || !isFamily(index)) return
    const found = await servingGeneration(this.#client, index, alias)
    const serving = found ?? (known && familyOf(known)) ?? index
    if (serving !== this.#parts.index) this.#parts = this.#assemble(serving)
  }

  /** How far the index had come that now has the name, if it was filled beside the other. */
  async #side(): Promise<Pick<Claimed, 'target' | 'reached'> | undefined> {
    const { name } = this.#context
    const { target: place } = this.#parts
    for (const side of isSide(name) ? [] : [nextName(name), previousName(name)]) {
      const at = { ...this.#context, name: side }
      const stored = await new CheckpointDocument(this.#client, at).read()
      if (stored === undefined) continue
      const target = await place.ensure(stored.target)
      if (!place.isSame(stored.target, target)) continue
      if (stored.config !== this.#config) this.#assertMayReshape()
      else if (stored.position !== null) return { target, reached: stored.position }
    }
    return undefined
  }

  #assemble(index: string): Parts {
    const { client, lease } = { client: this.#client, lease: this.#lease }
    return assemble(index, { client, lease, options: this.#options, context: this.#context })
  }

  /** Columns enter the mapping before the first document that has them. */
  async #mapNewColumns(records: readonly LogRecord[]): Promise<void> {
    for (const { schema } of records) {
      if (schema === undefined || this.#mapped.has(schema)) continue
      await this.#parts.target.addFields({ ...this.#mapColumns(schema), ...this.#explicitFields() })
      this.#mapped.add(schema)
    }
  }

  #mapColumns(schema: Schema): Fields {
    const { fields, timestamps } = this.#options
    if (fields === undefined) return mapColumns(schema, timestamps)
    const nameOf = fieldNames(fields)
    const columns = schema.columns.flatMap((column) => {
      const name = nameOf(column.name)
      return name === undefined ? [] : [{ ...column, name }]
    })
    return mapColumns({ columns }, timestamps)
  }

  #explicitFields(): Fields {
    return (this.#options.mapping ?? {}) as Fields
  }

  /** Of a family; the indexes that are written for the first time. */
  async #makeIndexes(writes: readonly Write[]): Promise<void> {
    const { target } = this.#parts
    if (!(target instanceof IndexFamily)) return
    const names = new Set(writes.map(({ index }) => index))
    for (const name of names) if (name !== undefined) await target.make(name)
  }

  #say(what: string): void {
    this.#context.say(`The index ${this.#parts.index} ${what}`)
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

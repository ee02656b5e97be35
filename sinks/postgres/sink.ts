import { crc32 } from 'node:zlib'
import {
  advance,
  assertHeld,
  checkpointKey,
  claim,
  type StoredCheckpoint,
} from '../../src/core/checkpoint.ts'
import { type IdOf, idTemplate } from '../../src/core/document-id.ts'
import {
  type Candidate,
  type Fold,
  foldDocuments,
  settle,
  supersedes,
} from '../../src/core/fold.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { Database } from './database.ts'
import { Documents, type Row } from './documents.ts'
import type { PostgresSinkOptions } from './options.ts'
import { prepareTables, type Shape, shapeOf } from './tables.ts'

/**
 * Keeps rows in a table of PostgreSQL. A batch and its checkpoint are one transaction, so each
 * record counts exactly once: `write` begins it, and holds the checkpoint so that nobody else
 * claims it meanwhile; `commit` ends it.
 */
export class PostgresSink implements Sink<LogRecord> {
  readonly #options: PostgresSinkOptions
  readonly #shape: Shape
  readonly #idOf: IdOf | undefined
  readonly #context: SinkContext
  readonly #key: string
  #opened: Opened | undefined

  constructor(options: PostgresSinkOptions, context: SinkContext) {
    this.#options = options
    this.#shape = shapeOf(options, context.topic)
    this.#idOf = options.id === undefined ? undefined : idTemplate(options.id)
    this.#context = context
    this.#key = checkpointKey(context)
  }

  async resume(source: string): Promise<Position | undefined> {
    await this.close()
    const { pipeline, name, partition } = this.#context
    const db = new Database(this.#options, `millrace/${pipeline}/${name}`)
    try {
      await db.connect()
      const documents = new Documents(db, this.#shape.table, partition)
      const held = await db.transaction(async () => {
        const target = await db.prepare()
        await prepareTables(db, this.#shape, ownerOf(this.#key))
        const { config } = this.#shape
        const stored = await db.checkpoint(this.#key, true)
        const next = claim(stored, { source, target, config })
        if (next.position === null) await documents.clear()
        await db.putCheckpoint(this.#key, next)
        return next
      })
      this.#opened = { db, documents, held, isOpen: false }
      return held.position ?? undefined
    } catch (error) {
      await db.close()
      throw error
    }
  }

  async clear(source: string): Promise<void> {
    const opened = await this.#begin()
    await opened.documents.clear()
    await this.#end(opened, { ...opened.held, source, position: null, timestamp: 0 })
  }

  async write({ records }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    const fold = foldDocuments(records, this.#idOf)
    const opened = await this.#begin()
    let candidates = fold.survivors
    while (candidates.length > 0) {
      candidates = await this.#writeOnce(opened, fold, { candidates, records })
    }
    return fold.outcomes
  }

  async commit(checkpoint: Checkpoint): Promise<void> {
    const opened = await this.#begin()
    await opened.documents.expire()
    await this.#end(opened, advance(opened.held, checkpoint))
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    await opened?.db.close()
  }

  /** Returns what to try in place of what was refused. */
  async #writeOnce(
    { documents }: Opened,
    fold: Fold,
    { candidates, records }: Work,
  ): Promise<readonly Candidate[]> {
    const held = await documents.find(candidates.map(({ id }) => id))
    const rows: Row[] = []
    for (const candidate of candidates) {
      const { id, body, key, version, ordinal } = candidate
      const next = { version, ordinal, key: crc32(key), deleted: body === null }
      const known = held.get(id)
      if (known !== undefined && !supersedes(next, known)) settle(fold, candidate, 'stale')
      else {
        settle(fold, candidate, 'applied')
        rows.push({ candidate, schema: records[candidate.index]!.schema })
      }
    }
    const older: Candidate[] = []
    await documents.put(rows, ({ candidate }, refusal) => {
      const next = settle(fold, candidate, refusal)
      if (next !== undefined) older.push(next)
    })
    return older
  }

  /** Begins the transaction of a batch if it is not under way. */
  async #begin(): Promise<Opened> {
    const opened = this.#opened
    if (opened === undefined) throw new Error('resume comes first')
    if (opened.isOpen) return opened
    const { db, held } = opened
    await db.ask('BEGIN')
    try {
      assertHeld(await db.checkpoint(this.#key, true), held, `${this.#key} in ${db.place}`)
    } catch (error) {
      await db.ask('ROLLBACK').catch(() => {}) // The first error says what went wrong.
      throw error
    }
    opened.isOpen = true
    return opened
  }

  async #end(opened: Opened, checkpoint: StoredCheckpoint): Promise<void> {
    await opened.db.putCheckpoint(this.#key, checkpoint)
    await opened.db.ask('COMMIT')
    opened.isOpen = false
    opened.held = checkpoint
  }
}

interface Opened {
  readonly db: Database
  readonly documents: Documents
  /** The checkpoint as this instance wrote it last. */
  held: StoredCheckpoint
  /** Whether the transaction of a batch is under way. */
  isOpen: boolean
}

interface Work {
  readonly candidates: readonly Candidate[]
  readonly records: readonly LogRecord[]
}

/** All partitions of a topic write to one table; no other sink does. */
function ownerOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/'))
}

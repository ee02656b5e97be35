import { crc32 } from 'node:zlib'
import {
  advance,
  assertHeld,
  checkpointKey,
  claim,
  type StoredCheckpoint,
} from '../../src/core/checkpoint.ts'
import { type IdOf, idTemplate } from '../../src/core/document-id.ts'
import { type Candidate, foldDocuments, settle, supersedes } from '../../src/core/fold.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { Database } from './database.ts'
import { type Doc, Documents, type State } from './documents.ts'
import { faultOf } from './faults.ts'
import type { SqliteOptions } from './options.ts'
import { prepareTables, type Shape, shapeOf } from './tables.ts'

/**
 * Keeps documents in a table of a SQLite file. Documents, search index and checkpoint are committed
 * together, so each record counts exactly once.
 *
 * `write` compares with what is stored and stages; `commit` does all writing in one transaction.
 * Between the two nobody else writes our documents, or the commit finds the checkpoint taken.
 */
export class SqliteSink implements Sink<LogRecord> {
  readonly #path: string
  readonly #shape: Shape
  readonly #idOf: IdOf | undefined
  readonly #context: SinkContext
  readonly #key: string
  readonly #staged = new Map<string, Staged>()
  #opened: Opened | undefined

  constructor(options: SqliteOptions, context: SinkContext) {
    this.#path = options.path
    this.#shape = shapeOf(options, context.topic)
    this.#idOf = options.id === undefined ? undefined : idTemplate(options.id)
    this.#context = context
    this.#key = checkpointKey(context)
  }

  async resume(source: string): Promise<Position | undefined> {
    return this.#try(() => {
      this.#release()
      this.#opened = this.#open(source)
      return this.#opened.held.position ?? undefined
    })
  }

  async clear(source: string): Promise<void> {
    this.#try(() => {
      const opened = this.#require()
      const { database, documents } = opened
      this.#staged.clear()
      opened.held = database.transaction(() => {
        assertHeld(database.checkpoint(this.#key), opened.held, this.#place)
        documents.clear()
        const cleared = { ...claim(opened.held, { ...opened.held, source }), position: null }
        database.putCheckpoint(this.#key, cleared)
        return cleared
      })
    })
  }

  async write({ records }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    const fold = foldDocuments(records, this.#idOf)
    this.#try(() => {
      const { database, documents } = this.#require()
      database.snapshot(() => {
        const find = documents.finder()
        for (const survivor of fold.survivors) {
          let next: Candidate | undefined = survivor
          while (next !== undefined)
            next = settle(fold, next, this.#stage({ documents, find }, next))
        }
      })
    })
    return fold.outcomes
  }

  async commit(checkpoint: Checkpoint): Promise<void> {
    this.#try(() => {
      const opened = this.#require()
      const { database, documents } = opened
      opened.held = database.transaction(() => {
        assertHeld(database.checkpoint(this.#key), opened.held, this.#place)
        for (const { doc, next, stored } of this.#staged.values()) documents.put(doc, next, stored)
        documents.expire()
        const committed = advance(opened.held, checkpoint)
        database.putCheckpoint(this.#key, committed)
        return committed
      })
      this.#staged.clear()
    })
  }

  async close(): Promise<void> {
    this.#release()
  }

  #open(source: string): Opened {
    const database = new Database(this.#path)
    try {
      return database.transaction(() => {
        prepareTables(database, this.#shape, ownerOf(this.#context))
        const documents = new Documents(database, this.#shape, this.#context.partition)
        const { target } = database
        const { config } = this.#shape
        const held = claim(database.checkpoint(this.#key), { source, target, config })
        if (held.position === null) documents.clear()
        database.putCheckpoint(this.#key, held)
        return { database, documents, held }
      })
    } catch (error) {
      database.close()
      throw error
    }
  }

  #stage({ documents, find }: Staging, { id, key, body, version, ordinal }: Candidate): Outcome {
    const staged = this.#staged.get(id)
    const stored = staged === undefined ? find(id) : staged.stored
    const newest = staged === undefined ? stored : staged.next
    const next: State = {
      version,
      ordinal,
      key: crc32(key),
      deleted: body === null,
      rowid: stored?.rowid,
    }
    if (newest !== undefined && !supersedes(next, newest)) return 'stale'
    try {
      this.#staged.set(id, { doc: documents.read(id, body), next, stored })
      return 'applied'
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      return { code: 'malformed_json', reason: `The document is not JSON: ${error.message}.` }
    }
  }

  #require(): Opened {
    if (this.#opened === undefined) throw new Error('resume comes first')
    this.#opened.database.assertInPlace()
    return this.#opened
  }

  #release(): void {
    this.#staged.clear()
    this.#opened?.database.close()
    this.#opened = undefined
  }

  #try<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw faultOf(error, this.#path)
    }
  }

  get #place(): string {
    return `${this.#key} in ${this.#path}`
  }
}

interface Opened {
  readonly database: Database
  readonly documents: Documents
  /** The checkpoint as this instance wrote it last. */
  held: StoredCheckpoint
}

interface Staging {
  readonly documents: Documents
  readonly find: ReturnType<Documents['finder']>
}

/** A write that waits for its commit. */
interface Staged {
  readonly doc: Doc
  readonly next: State
  /** What the file holds, which the staged state will replace. */
  readonly stored: State | undefined
}

/** All partitions of a topic write to one table; no other sink does. */
function ownerOf(context: SinkContext): string {
  const key = checkpointKey(context)
  return key.slice(0, key.lastIndexOf('/'))
}

import { readChange } from '../core/envelope.ts'
import { MillraceError } from '../core/errors.ts'
import { fillRow } from '../core/fill-row.ts'
import type { Row } from '../core/json.ts'
import {
  type LogRecord,
  newKeyHeader,
  oldKeyHeader,
  sweepHeader,
  unchangedHeader,
} from '../core/record.ts'
import type { Schema } from '../core/schema.ts'
import type { Outcome } from '../core/sink.ts'
import { type Key, KeyShape, shapeOf, textOf } from './key.ts'
import type { Change, Node } from './node.ts'
import type { Space } from './space.ts'
import type { State } from './state.ts'
import type { Cache } from './state-cache.ts'
import { memoryOf, RowCodec, StoredRow, versionOf } from './stored-row.ts'

/** A truncate of the table: every row with a version below `below` goes. */
export interface Truncation {
  readonly below: bigint
}

/**
 * A topic as a table. The rows before a change come from its own state, never from the envelope,
 * which may lack them. A round nets what records say about a key.
 */
export class Table implements Node {
  readonly topic: string
  readonly #state: State
  readonly #rows: Space
  /** Rows under their old key, in the commit that gives them another. */
  readonly #moved: Space
  #hasMoved = true
  readonly #codec: RowCodec
  readonly #cache: Cache<StoredRow>
  readonly #delta = new Map<Key, TableChange>()
  readonly #onSchema: ((schema: Schema) => void) | undefined
  #schema: Schema | undefined
  /** Of the records as they come now; `keys` is what the first one had. */
  #shape: KeyShape | undefined
  #keys: KeyShape | undefined

  /** `onSchema` hears of rows that have other columns than those before. */
  constructor(topic: string, state: State, onSchema?: (schema: Schema) => void) {
    this.topic = topic
    this.#onSchema = onSchema
    this.#state = state
    this.#rows = state.space(topic)
    this.#moved = state.space(`${topic}.moved`)
    this.#codec = new RowCodec(state)
    this.#cache = state.cache(memoryOf)
    const columns = state.read<readonly string[]>(`keys/${topic}`)
    if (columns !== undefined) this.#shape = this.#keys = new KeyShape(columns)
  }

  get keys(): KeyShape | undefined {
    return this.#keys
  }

  get delta(): ReadonlyMap<Key, TableChange> {
    return this.#delta
  }

  get(key: Key): Row | null {
    return this.#stored(key)?.row ?? null
  }

  text(key: Key): StoredRow | null {
    return this.#stored(key)
  }

  /** Every row, in the order of the keys' bytes. The table may be written meanwhile. */
  *entries(): Generator<readonly [Key, StoredRow]> {
    for (const [key, bytes] of this.#rows.entries()) yield [key, this.#codec.decode(bytes)]
  }

  /** Takes a record into the round. A truncate is not done here: it may need many rounds. */
  apply(record: LogRecord): Outcome | Truncation {
    const { op, after } = readChange(record)
    if (op === 'm') return 'filtered'
    if (op === 't') return truncation(record)
    const key = this.#key(record.key)
    const change = this.#delta.get(key)
    const now = change === undefined ? this.#peek(key) : change.new
    if (now !== null && record.version < now.version) return 'stale'
    const row = op === 'd' ? null : this.#row(record, after, now)
    if (row === undefined) return 'filtered'
    if (row === null && now !== null) this.#keepMoved(record, key, now)
    this.#delta.set(key, new TableChange(change === undefined ? now : change.old, row))
    return 'applied'
  }

  remove(key: Key): void {
    this.#delta.set(key, new TableChange(this.#stored(key), null))
  }

  /** Keys of the rows that a truncate removes. Rows may be removed meanwhile. */
  *keysBelow(version: bigint): Generator<Key> {
    for (const [key, bytes] of this.#rows.entries()) {
      if (versionOf(bytes) < version) yield key
    }
  }

  process(): void {
    for (const [key, change] of this.#delta) {
      const { old, new: row } = change
      if (row !== null) {
        if (old === null || !old.isSameRow(row)) this.#put(key, row)
        else this.#keepVersion(key, old, row)
      } else if (old !== null) {
        this.#rows.delete(key)
        this.#cache.delete(key)
      }
      if (old === row) this.#delta.delete(key)
    }
  }

  endRound(): void {
    this.#delta.clear()
  }

  endCommit(): void {
    if (!this.#hasMoved) return
    for (const [key] of this.#moved.entries()) this.#moved.delete(key)
    this.#hasMoved = false
  }

  #put(key: Key, row: StoredRow): void {
    this.#rows.put(key, this.#codec.encode(row))
    this.#cache.set(key, row)
  }

  /** The row is the same: no change, but a sweep must see that it was confirmed. */
  #keepVersion(key: Key, old: StoredRow, row: StoredRow): void {
    this.#delta.delete(key)
    if (row.version !== old.version) this.#put(key, row)
  }

  #stored(key: Key): StoredRow | null {
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached
    const row = this.#peek(key)
    if (row !== null) this.#cache.set(key, row)
    return row
  }

  /** Without room in the cache, for a row that is about to be replaced. */
  #peek(key: Key): StoredRow | null {
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached
    const bytes = this.#rows.get(key)
    return bytes === undefined ? null : this.#codec.decode(bytes)
  }

  /**
   * `undefined`: the row has holes that nothing before it fills. While a table's first snapshot
   * runs, a change may come before the row itself; it is withheld, as the row will come whole.
   */
  #row(record: LogRecord, after: Uint8Array | null, now: StoredRow | null): StoredRow | undefined {
    if (after === null) throw new SyntaxError(`a change in ${this.topic} has no "after"`)
    const holes = record.headers?.[unchangedHeader]
    const text = holes ? this.#fill(record, textOf(after), now) : textOf(after)
    if (text === undefined) return undefined
    // The state's own copy of the schema, so that equal schemas are one object.
    const schema = this.#state.schema(this.#state.schemaId(record.schema))
    this.#notice(schema)
    return new StoredRow(record, schema, text)
  }

  #notice(schema: Schema | undefined): void {
    if (schema === this.#schema || schema === undefined) return
    this.#schema = schema
    this.#onSchema?.(schema)
  }

  #fill(record: LogRecord, text: string, now: StoredRow | null): string | undefined {
    const previous = this.#rowUnderOldKey(record) ?? now
    if (previous === null) return undefined
    const unchanged = JSON.parse(record.headers![unchangedHeader]!) as string[]
    return fillRow(text, previous.text, unchanged, record.schema)
  }

  #rowUnderOldKey({ headers }: LogRecord): StoredRow | null {
    const oldKey = headers?.[oldKeyHeader]
    if (oldKey === undefined) return null
    const key = this.#key(Buffer.from(oldKey))
    const bytes = this.#hasMoved ? this.#moved.get(key) : undefined
    if (bytes !== undefined) return this.#codec.decode(bytes)
    const change = this.#delta.get(key)
    return change === undefined ? this.#stored(key) : change.new
  }

  #keepMoved({ headers }: LogRecord, key: Key, row: StoredRow): void {
    if (headers?.[newKeyHeader] === undefined) return
    this.#moved.put(key, this.#codec.encode(row))
    this.#hasMoved = true
  }

  #key(bytes: Uint8Array | null): Key {
    if (bytes === null) {
      throw new MillraceError(
        'NO_KEY',
        `A record of ${this.topic} has no key, and a view reads it.`,
      )
    }
    const key = this.#shape?.read(bytes)
    if (key !== undefined) return key
    this.#learnShape(shapeOf(bytes))
    return this.#shape!.read(bytes)!
  }

  /** A renamed key column keeps its first name in the keys of views, which name documents. */
  #learnShape(shape: KeyShape): void {
    if (this.#keys !== undefined && this.#keys.columns.length !== shape.columns.length) {
      const [from, to] = [this.#keys.columns.join(', '), shape.columns.join(', ')]
      throw new MillraceError('NO_KEY', `The key of ${this.topic} changed from ${from} to ${to}.`)
    }
    this.#shape = shape
    if (this.#keys !== undefined) return
    this.#keys = shape
    this.#state.write(`keys/${this.topic}`, shape.columns)
  }
}

/** The row at a key before the round and after its records. */
class TableChange implements Change {
  readonly old: StoredRow | null
  readonly new: StoredRow | null

  constructor(old: StoredRow | null, row: StoredRow | null) {
    this.old = old
    this.new = row
  }

  get before(): Row | null {
    return this.old?.row ?? null
  }

  get after(): Row | null {
    return this.new?.row ?? null
  }
}

/** A truncate comes after the rows of its own commit that it removes. */
function truncation({ version, headers }: LogRecord): Truncation {
  const sweep = headers?.[sweepHeader]
  return { below: sweep === undefined ? version + 1n : BigInt(sweep) }
}

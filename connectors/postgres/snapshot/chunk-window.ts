import { readEnvelope } from '../../../src/core/envelope.ts'
import { endOfValue, skipSpace } from '../../../src/core/json-scan.ts'
import { sees, type Visibility } from './chunk-xids.ts'
import type { ObservedChange } from './incremental-observer.ts'
import { RowSpill } from './row-spill.ts'

export interface ChunkRow {
  readonly key: Buffer | null
  readonly value: Buffer
}

interface Held {
  readonly xid: bigint
  readonly change: ObservedChange
}

/** A chunk that meets more than this before its rows are there is read again. */
const mostHeld = 200_000

/**
 * The rows of one chunk between their SELECT and their place in the stream. Changes of transactions
 * that the SELECT did not see are newer than its rows: the row of a key that such a change gave in
 * full is dropped, as the stream has it; where the change lacks unchanged TOASTed columns, the row
 * here is brought up to date, so that it completes what went out.
 */
export class ChunkWindow {
  /** Commits streamed before the window was open: the SELECT must see all of them. */
  readonly #earlier: readonly bigint[]
  #held: Held[] = []
  #visibility: Visibility | undefined
  #rows: Map<string, ChunkRow[]> | undefined
  #keyless: KeylessRows | undefined
  /** Why the chunk cannot be used. */
  spoiled: string | undefined

  constructor(earlier: readonly bigint[]) {
    this.#earlier = [...earlier]
  }

  /** The SELECT's snapshot is known. */
  see(visibility: Visibility): void {
    this.#visibility = visibility
    if (!this.#earlier.every((xid) => sees(visibility, xid))) this.spoil('a commit was not visible')
    this.#held = this.#held.filter(({ xid, change }) => this.#concerns(xid, change))
  }

  /** The rows are there. */
  load(rows: readonly ChunkRow[] | RowSpill): void {
    if (rows instanceof RowSpill) this.#keyless = new KeylessRows(rows)
    else this.#rows = groupByKey(rows)
    const held = this.#held
    this.#held = []
    for (const { xid, change } of held) this.#apply(xid, change)
  }

  /** Takes a change of a transaction that began to be streamed after the window was opened. */
  observe(xid: bigint, change: ObservedChange): void {
    if (this.spoiled !== undefined || !this.#concerns(xid, change)) return
    if (this.isLoaded) this.#apply(xid, change)
    else if (this.#held.length < mostHeld) this.#held.push({ xid, change })
    else this.spoil('too much changed meanwhile')
  }

  /** Something that no row can be brought over: a truncate, a commit that was seen in part only. */
  interrupt(xid: bigint, why: string): void {
    if (!this.#sees(xid)) this.spoil(why)
  }

  spoil(why: string): void {
    this.spoiled ??= why
    this.#held = []
  }

  /** Nobody will take what is left. */
  close(): void {
    this.#keyless?.close()
  }

  get isLoaded(): boolean {
    return this.#rows !== undefined || this.#keyless !== undefined
  }

  /** What is left to be written. */
  take(): Iterable<ChunkRow> {
    return this.#keyless?.rows ?? [...this.#rows!.values()].flat()
  }

  #sees(xid: bigint): boolean {
    return this.#visibility !== undefined && sees(this.#visibility, xid)
  }

  /** What gave a row without key counts, as nothing would tell that it is the same row. */
  #concerns(xid: bigint, { key }: ObservedChange): boolean {
    return key === null || !this.#sees(xid)
  }

  #apply(xid: bigint, change: ObservedChange): void {
    if (this.#keyless !== undefined) this.#keyless.apply(change, this.#sees(xid))
    else if (change.key !== null) this.#overlay(this.#rows!, change.key, change)
  }

  #overlay(rows: Map<string, ChunkRow[]>, key: Buffer, change: ObservedChange): void {
    const at = key.toString('latin1')
    const from = change.oldKey === null ? at : change.oldKey.toString('latin1')
    const row = rows.get(from)?.[0]
    rows.delete(from)
    rows.delete(at)
    if (row === undefined || change.op === 'd' || change.unchanged === undefined) return
    rows.set(at, [{ key, value: complete(row.value, change.value, change.unchanged) }])
  }
}

function groupByKey(rows: readonly ChunkRow[]): Map<string, ChunkRow[]> {
  const groups = new Map<string, ChunkRow[]>()
  for (const row of rows) {
    const key = row.key!.toString('latin1')
    const group = groups.get(key)
    // A key by `message.key.columns` need not be unique.
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}

/**
 * Rows of a table without key, told apart by their values: a row that a newer change took away is
 * taken out once, unless a newer change had put an equal one in before. One that the stream has
 * given since the window was opened, and that the SELECT saw as well, is taken out, too.
 */
class KeylessRows {
  readonly #rows: RowSpill
  readonly #added = new Map<string, number>()
  readonly #gone = new Map<string, number>()
  readonly #streamed = new Map<string, number>()

  constructor(rows: RowSpill) {
    this.#rows = rows
  }

  apply({ value }: ObservedChange, isSeen: boolean): void {
    const { before, after } = readEnvelope(value)
    const given = isSeen ? this.#streamed : this.#added
    if (before !== null) {
      const row = Buffer.from(before).toString('latin1')
      if (given.get(row)) count(given, row, -1)
      else if (!isSeen) count(this.#gone, row, 1)
    }
    if (after !== null) count(given, Buffer.from(after).toString('latin1'), 1)
  }

  get rows(): Iterable<ChunkRow> {
    return this.#left()
  }

  close(): void {
    this.#rows.close()
  }

  *#left(): Generator<ChunkRow> {
    for (const row of this.#rows) {
      const text = Buffer.from(readEnvelope(row.value).after!).toString('latin1')
      const counts = [this.#streamed, this.#gone].find((counts) => counts.get(text))
      if (counts === undefined) yield row
      else count(counts, text, -1)
    }
    this.close()
  }
}

function count(counts: Map<string, number>, row: string, by: number): void {
  counts.set(row, (counts.get(row) ?? 0) + by)
}

/**
 * The envelope `read`, with the row of `change` in it, whose missing columns are those of `read`.
 */
export function complete(read: Buffer, change: Buffer, missing: readonly string[]): Buffer {
  const old = readEnvelope(read).after!
  const older = columnsOf(old)
  const newer = columnsOf(readEnvelope(change).after!)
  const lacking = new Set(missing.map((name) => JSON.stringify(name)))
  const parts: Uint8Array[] = []
  for (const [name, value] of older) {
    const now = lacking.has(name) ? value : (newer.get(name) ?? value)
    parts.push(Buffer.from(parts.length === 0 ? `{${name}:` : `,${name}:`), now)
  }
  const start = old.byteOffset - read.byteOffset
  const end = start + old.length
  return Buffer.concat([read.subarray(0, start), ...parts, Buffer.from('}'), read.subarray(end)])
}

/** The columns of a row: the name as JSON, and the value's bytes. */
function columnsOf(row: Uint8Array): Map<string, Uint8Array> {
  const columns = new Map<string, Uint8Array>()
  let at = skipSpace(row, 1)
  while (row[at] !== 0x7d) {
    const nameEnd = endOfValue(row, at)
    const start = skipSpace(row, skipSpace(row, nameEnd) + 1)
    const end = endOfValue(row, start)
    columns.set(Buffer.from(row.subarray(at, nameEnd)).toString(), row.subarray(start, end))
    at = skipSpace(row, end)
    if (row[at] === 0x2c) at = skipSpace(row, at + 1)
  }
  return columns
}

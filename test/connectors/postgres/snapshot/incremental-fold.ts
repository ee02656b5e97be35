import type { NewRecord } from '../../../../src/core/record.ts'
import { unchangedHeader } from '../../../../src/core/record.ts'
import { textOf } from '../reading.ts'

export type FoldedRow = Readonly<Record<string, unknown>>

interface Stored {
  readonly row: FoldedRow
  readonly version: bigint
}

/**
 * A topic's state by key, as a table would keep it: fills what a change lacks, follows key changes,
 * sweeps. Notes what must never happen.
 */
export class Fold {
  readonly rows = new Map<string, Stored>()
  readonly faults: string[] = []
  /** Rows whose missing columns a snapshot has yet to bring. */
  readonly withheld = new Set<string>()
  reads = 0
  readonly #topic: string
  #version = 0n
  /** Topics that the commit at hand has ended in. */
  #ended = new Set<string>()
  #moved = new Map<string, FoldedRow>()

  constructor(topic: string) {
    this.#topic = topic
  }

  copy(): Fold {
    const copy = new Fold(this.#topic)
    for (const [key, stored] of this.rows) copy.rows.set(key, stored)
    for (const key of this.withheld) copy.withheld.add(key)
    copy.faults.push(...this.faults)
    copy.#moved = new Map(this.#moved)
    copy.#version = this.#version
    copy.#ended = new Set(this.#ended)
    copy.reads = this.reads
    return copy
  }

  apply(record: NewRecord): void {
    this.#checkVersion(record)
    if (record.topic !== this.#topic) return
    const key = record.key === null ? null : textOf(record.key)
    if (record.value === null) return
    const { op, after } = JSON.parse(textOf(record.value))
    if (op === 't') this.#truncate(record)
    else if (key === null) this.faults.push(`${op} without key`)
    else if (op === 'd') this.#delete(record, key)
    else this.#put(record, key, op, after)
  }

  /** The rows as the table has them. */
  get state(): FoldedRow[] {
    return [...this.rows.values()].map(({ row }) => row)
  }

  #checkVersion({ version, endsCommit, topic }: NewRecord): void {
    if (version < this.#version) this.faults.push(`version ${version} fell below ${this.#version}`)
    if (version !== this.#version) {
      this.#moved.clear()
      this.#ended.clear()
    }
    if (this.#ended.has(topic)) this.faults.push(`${version}: two commits in ${topic}`)
    this.#version = version
    if (endsCommit) this.#ended.add(topic)
  }

  #truncate({ headers, version }: NewRecord): void {
    const below = BigInt(headers?.['millrace.sweep'] ?? version)
    for (const [key, stored] of this.rows) if (stored.version < below) this.rows.delete(key)
  }

  #delete({ headers }: NewRecord, key: string): void {
    const stored = this.rows.get(key)
    if (stored !== undefined && headers?.['__debezium.newkey'] !== undefined) {
      this.#moved.set(key, stored.row)
    }
    this.rows.delete(key)
    this.withheld.delete(key)
  }

  #put({ headers, version }: NewRecord, key: string, op: string, after: FoldedRow): void {
    const now = this.rows.get(key)?.row
    if (op === 'r') {
      this.reads++
      if (now !== undefined && Number(after.n) < Number(now.n)) {
        this.faults.push(`${key}: r has ${after.n}, after ${now.n}`)
      }
    }
    const unchanged: string[] = JSON.parse(headers?.[unchangedHeader] ?? '[]')
    const oldKey = headers?.['__debezium.oldkey']
    const old = (oldKey === undefined ? undefined : this.#moved.get(oldKey)) ?? now
    const isWhole = unchanged.length === 0
    if (!isWhole && old === undefined) this.withheld.add(key)
    else if (isWhole) this.withheld.delete(key)
    const missing = Object.fromEntries(unchanged.map((name) => [name, old?.[name]]))
    this.rows.set(key, { row: { ...missing, ...after }, version })
    if (!isWhole && Object.values(missing).includes(undefined)) this.withheld.add(key)
  }
}

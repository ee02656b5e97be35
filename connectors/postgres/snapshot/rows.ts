import { sweepHeader } from '../../../src/core/record.ts'
import {
  type Commit,
  EnvelopeWriter,
  makeRecord,
  type OpenRecord,
  type Origin,
} from '../wal/envelope-writer.ts'
import type { Relation } from '../wal/relation.ts'
import { readDataRow } from '../wal/tuple.ts'
import type { ChunkTable } from './chunk-table.ts'
import type { ChunkRow } from './chunk-window.ts'

/** Makes records of rows that were read by SELECT. */
export class RowWriter {
  readonly #writer: EnvelopeWriter
  readonly #marker: 'true' | 'incremental'
  readonly #commit: Commit = {
    xid: 0,
    micros: BigInt(Date.now()) * 1000n,
    version: 0n,
    previous: null,
  }

  constructor(origin: Origin, marker: 'true' | 'incremental') {
    this.#writer = new EnvelopeWriter(origin)
    this.#marker = marker
  }

  /** Key and envelope of the DataRow at `start`. */
  row(bytes: Buffer, start: number, { relation }: ChunkTable, lsn: number): ChunkRow {
    const { row } = relation
    readDataRow(bytes, start, row)
    const key = this.#writer.key(bytes, relation, row)
    const value = this.#writer.value(bytes, relation, this.#commit, {
      ...{ op: 'r', before: null, after: { row }, snapshot: this.#marker, lsn },
    })
    return { key, value }
  }

  /** The rows as one commit. */
  commit(relation: Relation, rows: readonly ChunkRow[], version: bigint): OpenRecord[] {
    const place = this.#place(relation, version)
    const records = rows.map(({ key, value }, ordinal) => {
      place.ordinal = ordinal
      return makeRecord(place, key, value)
    })
    const last = records.at(-1)
    if (last !== undefined) last.endsCommit = true
    return records
  }

  /** A truncate of all that is older than `from`. */
  sweep(relation: Relation, from: bigint, version: bigint, lsn: number): OpenRecord {
    const value = this.#writer.value(Buffer.alloc(0), relation, this.#commit, {
      ...{ op: 't', before: null, after: null, snapshot: this.#marker, lsn },
    })
    const headers = { [sweepHeader]: String(from) }
    const record = makeRecord(this.#place(relation, version), null, value, headers)
    record.endsCommit = true
    return record
  }

  #place(relation: Relation, version: bigint) {
    const timestamp = Number(this.#commit.micros / 1000n)
    return { relation, commit: { ...this.#commit, version }, timestamp, ordinal: 0 }
  }
}

const unmarked = Buffer.from('"snapshot":"true"')

/** The record says that it is the first or the last of a table, or of the whole snapshot. */
export function mark(record: OpenRecord, marker: string): void {
  const value = record.value as Buffer
  // `source` stands behind the row, which may hold the same text.
  const at = value.lastIndexOf(unmarked)
  if (at < 0) return
  const marked = Buffer.from(`"snapshot":"${marker}"`)
  const rest = value.subarray(at + unmarked.length)
  record.value = Buffer.concat([value.subarray(0, at), marked, rest])
}

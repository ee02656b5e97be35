import type { PackedRecords } from '../../../src/core/packed-records.ts'
import { sweepHeader } from '../../../src/core/record.ts'
import { shapeCommit } from '../transforms/shape.ts'
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
import type { PackedRows } from './row-packer.ts'

/** Makes records of rows that were read by SELECT. */
export class RowWriter {
  readonly #writer: EnvelopeWriter
  readonly #marker: 'true' | 'incremental'
  readonly #commit: Commit = {
    xid: 0,
    micros: Date.now() * 1000,
    version: 0n,
    previous: 0,
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

  /** What follows the row in the envelopes of all rows that are read at this moment. */
  rest(relation: Relation, lsn: number): Buffer {
    return this.#writer.rest(relation, this.#commit, {
      ...{ op: 'r', before: null, after: null, snapshot: this.#marker, lsn },
    })
  }

  /** The rows as one commit. */
  packed({ topic, schema }: Relation, rows: PackedRows, version: bigint): PackedRecords {
    return { ...rows, topic, schema, version, timestamp: this.#commit.micros / 1000 }
  }

  /** The rows as one commit. */
  commit(relation: Relation, rows: readonly ChunkRow[], version: bigint): OpenRecord[] {
    const place = this.#place(relation, version)
    const records = rows.map(({ key, value }, ordinal) => {
      place.ordinal = ordinal
      return makeRecord(place, key, value)
    })
    if (relation.shape !== undefined) return shapeCommit(records, relation.shape)
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
    const timestamp = this.#commit.micros / 1000
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

import { ByteWriter } from '../../../src/core/byte-writer.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Relation } from './relation.ts'
import { writeKey, writeNull, writeRow } from './row.ts'
import { SourceWriter } from './source-writer.ts'
import type { TransactionPlace } from './transaction.ts'
import type { Slots } from './tuple.ts'

/** What the envelope's `source` says of a connector; constant while it runs. */
export interface Origin {
  readonly version: string
  /** The topic prefix. */
  readonly name: string
  readonly database: string
  /** The slot's catalog_xmin, where it is asked for. */
  readonly xmin?: () => number | null
}

/** The commit that a change belongs to. */
export interface Commit {
  /** 0: a snapshot. */
  readonly xid: number
  readonly micros: number
  readonly version: bigint
  /** End LSN of the commit before; 0 before the first. */
  readonly previous: number
}

/** A row of a change: its slots in `bytes`, and the old tuple for values that are not sent. */
export interface RowImage {
  readonly row: Slots
  readonly old?: Slots | undefined
}

export interface ChangeImage {
  readonly op: 'c' | 'u' | 'd' | 'r' | 't'
  readonly before: RowImage | null
  readonly after: RowImage | null
  /** The change's own LSN: below 2^53, as every WAL under 8 PiB is. */
  readonly lsn: number
  readonly snapshot: 'true' | 'false' | 'incremental'
  /** Where transactions are told. */
  readonly place?: TransactionPlace | undefined
}

const encoder = (text: string) => Buffer.from(text)
const beforeLabel = encoder('{"before":')
const afterLabel = encoder(',"after":')

/**
 * Writes changes as Debezium's envelope,
 *
 *   {"before":…,"after":…,"source":{…},"transaction":null,"op":"c","ts_ms":…,"ts_us":…,"ts_ns":…}
 *
 * bytes to bytes. What is constant for a relation and a commit is rendered once for them.
 */
export class EnvelopeWriter {
  readonly #out = new ByteWriter(512 * 1024)
  readonly #origin: Origin
  readonly #source: SourceWriter
  #tailMs = 0
  readonly #tails = new Map<string, Buffer>()

  constructor(origin: Origin) {
    this.#origin = origin
    this.#source = new SourceWriter(origin)
  }

  key(bytes: Buffer, relation: Relation, row: Slots): Buffer | null {
    if (relation.key.length === 0) return null
    const out = this.#out
    out.begin()
    writeKey(out, bytes, relation, row)
    return out.take()
  }

  value(bytes: Buffer, relation: Relation, commit: Commit, change: ChangeImage): Buffer {
    const out = this.#out
    out.begin()
    out.copy(beforeLabel)
    if (change.before === null) writeNull(out)
    else writeRow(out, bytes, relation, change.before)
    out.copy(afterLabel)
    if (change.after === null) writeNull(out)
    else writeRow(out, bytes, relation, change.after)
    this.#source.write(out, relation, commit, change)
    out.copy(this.#tail(change.op, change.place))
    const value = out.take()
    this.#source.keep(value)
    return value
  }

  /** All that stands behind the row of an envelope: the same for rows that are read together. */
  rest(relation: Relation, commit: Commit, change: ChangeImage): Buffer {
    const out = this.#out
    out.begin()
    this.#source.write(out, relation, commit, change)
    out.copy(this.#tail(change.op))
    const rest = out.take()
    this.#source.keep(rest)
    return rest
  }

  /** A logical message, as a record of `<prefix>.message`. */
  message(commit: Commit, { prefix, content, lsn }: LogicalMessage, place?: TransactionPlace) {
    const { version, name, database } = this.#origin
    const { micros, previous, xid } = commit
    const source = {
      ...{ version, connector: 'postgresql', name, ts_ms: Math.floor(micros / 1000) },
      ...{ snapshot: 'false', db: database, sequence: sequenceOf(previous, lsn) },
      ...{ ts_us: micros, schema: '', table: '', txId: xid || null },
      ...{ lsn, xmin: null },
    }
    const now = Date.now()
    const value = {
      ...{ op: 'm', ts_ms: now, source, transaction: place ? transactionOf(place) : null },
      message: { prefix, content: content.toString('base64') },
    }
    return {
      topic: `${name}.message`,
      key: Buffer.from(JSON.stringify({ prefix })),
      value: Buffer.from(JSON.stringify(value)),
    }
  }

  /** The rest from `xmin` on, rendered once a millisecond. */
  #tail(op: ChangeImage['op'], place?: TransactionPlace): Buffer {
    const now = Date.now()
    if (place !== undefined) return this.#tailOf(op, now, JSON.stringify(transactionOf(place)))
    if (now !== this.#tailMs) {
      this.#tails.clear()
      this.#tailMs = now
    }
    let tail = this.#tails.get(op)
    if (tail === undefined) {
      tail = this.#tailOf(op, now, 'null')
      this.#tails.set(op, tail)
    }
    return tail
  }

  #tailOf(op: string, now: number, transaction: string): Buffer {
    return encoder(
      `,"xmin":${this.#origin.xmin?.() ?? null}},"transaction":${transaction},"op":"${op}",` +
        `"ts_ms":${now},"ts_us":${now}000,"ts_ns":${now}000000}`,
    )
  }
}

export interface LogicalMessage {
  readonly prefix: string
  readonly content: Buffer
  readonly lsn: number
}

function transactionOf({ id, totalOrder, collectionOrder }: TransactionPlace) {
  return { id, total_order: totalOrder, data_collection_order: collectionOrder }
}

/** What a record of a change has beside its key and value. */
export interface Place {
  readonly relation: Relation
  readonly commit: Commit
  readonly timestamp: number
  readonly ordinal: number
}

/** A record that is still to learn whether it ends its commit. */
export type OpenRecord = { -readonly [name in keyof NewRecord]: NewRecord[name] }

export function makeRecord(
  { relation, commit, timestamp, ordinal }: Place,
  key: Buffer | null,
  value: Buffer | null,
  headers?: Record<string, string>,
): OpenRecord {
  return {
    topic: relation.topic,
    key,
    value,
    timestamp,
    version: commit.version,
    ordinal,
    endsCommit: false,
    headers,
    schema: relation.schema,
    cause: undefined,
  }
}

function sequenceOf(previous: number, lsn: number): string {
  return JSON.stringify([previous === 0 ? null : String(previous), String(lsn)])
}

import { MillraceError } from '../../../src/core/errors.ts'
import { newKeyHeader, oldKeyHeader, unchangedHeader } from '../../../src/core/record.ts'
import type { PostgresPosition } from '../position.ts'
import type { ChangeObserver } from '../snapshot/incremental-observer.ts'
import type { Outbox } from '../transforms/outbox.ts'
import { CommitBatches, isPast } from './commit-batches.ts'
import {
  type ChangeImage,
  EnvelopeWriter,
  type LogicalMessage,
  makeRecord,
  type OpenRecord,
  type Origin,
} from './envelope-writer.ts'
import { readLsn } from './lsn.ts'
import {
  type Begin,
  letter,
  type RelationMessage,
  readBegin,
  readCommitEnd,
  readRelation,
  readTruncate,
} from './pgoutput.ts'
import type { Relation } from './relation.ts'
import { keepIdentityOnly, sameKey, sameRow, unchangedColumns } from './row.ts'
import { type TransactionPlace, type TransactionRecord, TransactionWriter } from './transaction.ts'
import { readTuple } from './tuple.ts'

/** Logical messages of millrace itself, which no topic shows. */
export const ownPrefix = 'millrace.'

const tagOld = 0x4f
const tagKey = 0x4b

/** What of the WAL becomes records. */
export interface DecodingOptions {
  /** Letters of operations to leave out. */
  readonly skipped: ReadonlySet<string>
  readonly tombstones: boolean
  /** Updates that left all columns as they were are left out, where old rows are sent. */
  readonly skipUnchanged: boolean
  /** BEGIN and END of each transaction become records, and changes name theirs. */
  readonly transactions: boolean
  /** Most records of a batch. */
  readonly batchRecords: number
  /** Makes events of logical messages. */
  readonly outbox?: Outbox | undefined
  /** Whether logical messages of a prefix are wanted. */
  readonly selectsMessage: (prefix: string) => boolean
}

export interface Decoding {
  readonly origin: Origin
  readonly options: DecodingOptions
  readonly position: PostgresPosition
  /** Relation of an OID, as far as it was defined. Changes of others are counted and left out. */
  readonly relations: ReadonlyMap<number, Relation>
  readonly batchBytes?: number | undefined
  /** Told of every change, once it has gone out. */
  readonly observer?: ChangeObserver | undefined
}

/** A change, and the headers of its record. */
interface Emission extends ChangeImage {
  readonly headers?: Record<string, string> | undefined
}

/**
 * Turns WAL messages into the records of topics; how they are cut into batches is not decided here.
 */
export class ChangeDecoder {
  readonly #writer: EnvelopeWriter
  readonly #relations: ReadonlyMap<number, Relation>
  readonly #options: DecodingOptions
  readonly #transaction: TransactionWriter | undefined
  readonly #observer: ChangeObserver | undefined
  readonly #batches: CommitBatches

  constructor(decoding: Decoding) {
    const { origin, position, relations, options, batchBytes } = decoding
    const { batchRecords } = options
    this.#batches = new CommitBatches(position, { batchBytes, batchRecords })
    this.#options = options
    this.#transaction = options.transactions ? new TransactionWriter(origin.name) : undefined
    this.#observer = decoding.observer
    this.#writer = new EnvelopeWriter(origin)
    this.#relations = relations
  }

  /** What was decoded, to be taken in batches. */
  get batches(): CommitBatches {
    return this.#batches
  }

  /**
   * Handles one message. A Relation message is returned: it must be defined before the next one.
   */
  handle(bytes: Buffer, at: number, lsn: number): RelationMessage | undefined {
    switch (bytes[at]) {
      case letter.insert:
        this.#insert(bytes, at + 1, lsn)
        break
      case letter.update:
        this.#update(bytes, at + 1, lsn)
        break
      case letter.delete:
        this.#delete(bytes, at + 1, lsn)
        break
      case letter.begin:
        this.#begin(bytes, at + 1)
        break
      case letter.commit:
        this.#end(readCommitEnd(bytes, at + 1))
        break
      case letter.relation:
        return readRelation(bytes, at + 1)
      case letter.truncate:
        this.#truncate(bytes, at + 1, lsn)
        break
      case letter.message:
        this.#message(bytes, at + 1)
        break
      default: // Types and origins change no row.
    }
    return undefined
  }

  #begin(bytes: Buffer, at: number): void {
    this.#enter(readBegin(bytes, at))
  }

  #enter(begin: Begin): void {
    const commit = this.#batches.begin(begin)
    const { xid, skip, held, lsn } = commit
    if (xid !== 0) this.#observer?.begin(xid, skip === 0)
    const told = xid === 0 ? undefined : this.#transaction?.begin(commit, lsn)
    if (told !== undefined && (skip === 0 || held.has(0))) this.#note(told)
  }

  #end(endLsn: number): void {
    const commit = this.#batches.commit!
    const isNew = !isPast(commit)
    const told = isNew && commit.xid !== 0 ? this.#transaction?.end() : undefined
    if (told !== undefined) this.#note(told)
    this.#batches.end(endLsn)
    if (isNew) this.#observer?.commit()
  }

  // Insert: oid:u32 'N' tuple
  #insert(bytes: Buffer, at: number, lsn: number): void {
    const relation = this.#wanted(bytes, at)
    if (relation === undefined || this.#isSkipped('c', relation)) return
    readTuple(bytes, at + 5, relation.row)
    const change = { op: 'c', before: null, after: relation, lsn, snapshot: 'false' } as const
    const key = this.#writer.key(bytes, relation, relation.row)
    const value = this.#emit(relation, key, bytes, change)
    const seen = { op: 'c', key, oldKey: null, value, unchanged: undefined } as const
    this.#observer?.change(relation, bytes, seen)
  }

  // Update: oid:u32 ('K' tuple | 'O' tuple)? 'N' tuple
  #update(bytes: Buffer, at: number, lsn: number): void {
    const relation = this.#wanted(bytes, at)
    if (relation === undefined) return
    if (relation.keyNeedsFull) throw keyNeedsFull(relation)
    const { row, old } = relation
    const tag = bytes[at + 4]
    const hasOld = tag === tagOld || tag === tagKey
    const next = hasOld ? readTuple(bytes, at + 5, old) : at + 4
    readTuple(bytes, next + 1, row)
    if (tag === tagKey) keepIdentityOnly(relation, old)
    if (hasOld && relation.key.length > 0 && !sameKey(bytes, relation, old, row)) {
      this.#changeKey(bytes, relation, lsn)
      return
    }
    const full = tag === tagOld ? old : undefined
    const isIdle = full && this.#options.skipUnchanged && sameRow(bytes, relation, old, row)
    if (this.#isSkipped('u', relation, isIdle)) return
    const unchanged = unchangedColumns(relation, row, full)
    const before = hasOld ? { row: old } : null
    const change = { op: 'u', before, after: { row, old: full }, lsn, snapshot: 'false' } as const
    const keyRow = hasOld && relation.key.length > 0 ? old : row
    const key = this.#writer.key(bytes, relation, keyRow)
    const value = this.#emit(relation, key, bytes, { ...change, headers: holes(unchanged) })
    this.#observer?.change(relation, bytes, { op: 'u', key, oldKey: null, value, unchanged })
  }

  /** The old key is deleted, the new one created; both say where the row went, or came from. */
  #changeKey(bytes: Buffer, relation: Relation, lsn: number): void {
    const { row, old } = relation
    const oldKey = this.#writer.key(bytes, relation, old)
    const newKey = this.#writer.key(bytes, relation, row)
    const ordinal = this.#batches.ordinal
    const gone = { op: 'd', before: { row: old }, after: null, lsn, snapshot: 'false' } as const
    if (!this.#isSkipped('d', relation)) {
      this.#emit(relation, oldKey, bytes, {
        ...gone,
        headers: { [newKeyHeader]: String(newKey) },
      })
      this.#batches.ordinal = ordinal
      if (this.#options.tombstones) this.#push(relation, oldKey, null)
    }
    const came = { op: 'c', before: null, after: { row, old }, lsn, snapshot: 'false' } as const
    this.#batches.ordinal = ordinal
    if (this.#isSkipped('c', relation)) return
    const unchanged = unchangedColumns(relation, row, old)
    const value = this.#emit(relation, newKey, bytes, {
      ...came,
      headers: { [oldKeyHeader]: String(oldKey), ...holes(unchanged) },
    })
    const seen = { op: 'u', key: newKey, oldKey, value, unchanged } as const
    this.#observer?.change(relation, bytes, seen)
  }

  // Delete: oid:u32 ('K' tuple | 'O' tuple)
  #delete(bytes: Buffer, at: number, lsn: number): void {
    const relation = this.#wanted(bytes, at)
    if (relation === undefined || this.#isSkipped('d', relation)) return
    if (relation.keyNeedsFull) throw keyNeedsFull(relation)
    const { old } = relation
    readTuple(bytes, at + 5, old)
    if (bytes[at + 4] === tagKey) keepIdentityOnly(relation, old)
    const key = this.#writer.key(bytes, relation, old)
    const ordinal = this.#batches.ordinal
    const value = this.#emit(relation, key, bytes, {
      ...{ op: 'd', before: { row: old }, after: null, lsn, snapshot: 'false' },
    })
    const seen = { op: 'd', key, oldKey: null, value, unchanged: undefined } as const
    this.#observer?.change(relation, bytes, seen)
    if (key === null || !this.#options.tombstones) return
    this.#batches.ordinal = ordinal
    this.#push(relation, key, null)
    this.#batches.ordinal = ordinal + 1
  }

  /** Each table is a change of its own: one may be held back for COMMIT while another goes out. */
  #truncate(bytes: Buffer, at: number, lsn: number): void {
    for (const oid of readTruncate(bytes, at)) {
      const relation = this.#wantedTable(oid)
      this.#observer?.truncate(oid)
      if (relation === undefined || this.#isSkipped('t', relation)) continue
      this.#emit(relation, null, bytes, {
        ...{ op: 't', before: null, after: null, lsn, snapshot: 'false' },
      })
    }
  }

  #wanted(bytes: Buffer, at: number): Relation | undefined {
    return this.#wantedTable(bytes.readUInt32BE(at))
  }

  /**
   * The table of the change at hand; `undefined` if that is only counted, because it is of no table
   * that we read, or went out in an earlier life.
   */
  #wantedTable(oid: number): Relation | undefined {
    const relation = this.#relations.get(oid)
    if (relation !== undefined && !this.#batches.isPassed) return relation
    if (relation !== undefined) this.#transaction?.count(relation)
    this.#batches.ordinal++
    return undefined
  }

  /** Whether a change is left out: it is only counted. */
  #isSkipped(op: string, relation: Relation, isIdle = false): boolean {
    if (!isIdle && !this.#options.skipped.has(op)) return false
    this.#transaction?.count(relation)
    this.#batches.ordinal++
    return true
  }

  // Message: flags:u8 (1: transactional) lsn:u64 prefix:string length:u32 content
  #message(bytes: Buffer, at: number): void {
    const prefixEnd = bytes.indexOf(0, at + 9)
    const prefix = bytes.toString('utf8', at + 9, prefixEnd)
    const length = bytes.readUInt32BE(prefixEnd + 1)
    const content = bytes.subarray(prefixEnd + 5, prefixEnd + 5 + length)
    const lsn = readLsn(bytes, at + 1)
    const isWanted = !prefix.startsWith(ownPrefix) && this.#options.selectsMessage(prefix)
    if (prefix.startsWith(ownPrefix)) this.#observer?.message(prefix, content)
    if (this.#batches.commit !== undefined) this.#tell({ prefix, content, lsn }, isWanted)
    else if (isWanted && lsn > this.#batches.lastCommit) {
      this.#enter({ lsn, micros: Date.now() * 1000, xid: 0 })
      this.#tell({ prefix, content, lsn }, true)
      this.#end(lsn + 1)
    }
  }

  #tell(message: LogicalMessage, isWanted: boolean): void {
    const { isPassed } = this.#batches
    const commit = this.#batches.commit!
    const place = commit.xid === 0 || !isWanted ? undefined : this.#transaction?.count(undefined)
    if (isWanted && !isPassed) this.#say(message, place)
    this.#batches.ordinal++
  }

  #say(message: LogicalMessage, place: TransactionPlace | undefined): void {
    const told = this.#writer.message(this.#batches.commit!, message, place)
    const { outbox } = this.#options
    if (!outbox?.takes(message)) this.#note(told)
    else {
      const event = outbox.ofMessage(this.#noteOf(told), message)
      if (event !== undefined) this.#batches.push(event)
    }
  }

  /** A record that is no row's. */
  #note(told: TransactionRecord): void {
    this.#batches.push(this.#noteOf(told))
  }

  #noteOf({ topic, key, value }: TransactionRecord): OpenRecord {
    const { timestamp, version } = this.#batches.commit!
    return {
      ...{ topic, key, value, timestamp, version, ordinal: this.#batches.ordinal },
      ...{ endsCommit: false, headers: undefined, schema: undefined, cause: undefined },
    }
  }

  #emit(relation: Relation, key: Buffer | null, bytes: Buffer, change: Emission): Buffer {
    const place = this.#transaction?.count(relation)
    const told = place === undefined ? change : { ...change, place }
    const value = this.#writer.value(bytes, relation, this.#batches.commit!, told)
    this.#push(relation, key, value, change.headers)
    this.#batches.ordinal++
    return value
  }

  #push(
    relation: Relation,
    key: Buffer | null,
    value: Buffer | null,
    headers?: Record<string, string>,
  ): void {
    if (relation.topic === this.#observer?.mutedTopic) return
    const { ordinal } = this.#batches
    const commit = this.#batches.commit!
    const place = { relation, commit, timestamp: commit.timestamp, ordinal }
    const record = makeRecord(place, key, value, headers)
    const shaped = relation.shape === undefined ? record : relation.shape(record)
    if (shaped !== undefined) this.#batches.push(shaped)
  }
}

function keyNeedsFull({ namespace, name, key }: Relation): MillraceError {
  const columns = key.map((column) => column.name).join(', ')
  const fact = `The server does not send all of the key (${columns}) of ${namespace}.${name} with old rows.`
  const fix = `ALTER TABLE ${namespace}.${name} REPLICA IDENTITY FULL makes it.`
  return new MillraceError('NO_KEY', `${fact} ${fix}`)
}

/** Columns without a value, said in a header so that no placeholder can reach a sink. */
function holes(names: readonly string[] | undefined): Record<string, string> | undefined {
  return names && { [unchangedHeader]: JSON.stringify(names) }
}

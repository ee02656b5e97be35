import { MillraceError } from '../../src/core/errors.ts'
import { unchangedHeader } from '../../src/core/record.ts'
import type { Batch } from '../../src/core/source.ts'
import {
  type ChangeImage,
  type Commit,
  EnvelopeWriter,
  type LogicalMessage,
  makeRecord,
  type OpenRecord,
  type Origin,
} from './envelope-writer.ts'
import type { ChangeObserver } from './incremental-observer.ts'
import type { Lsn } from './lsn.ts'
import {
  type Begin,
  letter,
  type RelationMessage,
  readBegin,
  readCommitEnd,
  readRelation,
  readTruncate,
} from './pgoutput.ts'
import { encodePosition, isInside, type PostgresPosition } from './position.ts'
import type { Relation } from './relation.ts'
import { keepIdentityOnly, sameKey, sameRow, unchangedColumns } from './row.ts'
import { type TransactionRecord, TransactionWriter } from './transaction.ts'
import { readTuple } from './tuple.ts'

/** A batch is due after so many bytes; a commit that is larger goes out in parts of this size. */
const defaultBatchBytes = 1024 * 1024

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

/** A topic's last record of the current commit, with those that share its ordinal. */
interface Held {
  record: OpenRecord
  bytes: number
}

/** The commit under way, and how much of it went out in an earlier life. */
interface OpenCommit extends Commit {
  readonly lsn: Lsn
  readonly timestamp: number
  /** Changes below this one went out already, but for those in `held`. */
  readonly skip: number
  readonly held: ReadonlySet<number>
}

/**
 * Turns WAL messages into records, and cuts them into batches at commits. Each topic's last record
 * of a commit must bear the end mark, and only COMMIT tells which it was: of a commit that goes out in
 * parts, that record of every topic waits for the next part.
 */
export class ChangeDecoder {
  readonly #writer: EnvelopeWriter
  readonly #relations: ReadonlyMap<number, Relation>
  readonly #options: DecodingOptions
  readonly #transaction: TransactionWriter | undefined
  readonly #observer: ChangeObserver | undefined
  /** The last whole commit, or the part of the current one that went out. */
  #position: PostgresPosition
  #records: OpenRecord[] = []
  readonly #batchBytes: number
  /** Of the records that may go out: all but those in #last. */
  #bytes = 0
  /** The part of #bytes that belongs to the current commit. */
  #commitBytes = 0
  #commit: OpenCommit | undefined
  /** Where in #records the current commit begins. */
  #commitStart = 0
  #ordinal = 0
  readonly #last = new Map<string, Held>()
  #moved = false

  constructor(decoding: Decoding) {
    const { origin, position, relations, options, batchBytes = defaultBatchBytes } = decoding
    this.#options = options
    this.#transaction = options.transactions ? new TransactionWriter(origin.name) : undefined
    this.#batchBytes = batchBytes
    this.#observer = decoding.observer
    this.#writer = new EnvelopeWriter(origin)
    this.#relations = relations
    this.#position = position
  }

  /** No BEGIN without its COMMIT, and nothing that waits to go out. */
  get isIdle(): boolean {
    return this.#commit === undefined && this.#records.length === 0 && !this.#moved
  }

  get isFull(): boolean {
    return this.#bytes >= this.#batchBytes || this.#records.length > this.#options.batchRecords
  }

  /** Handles one message. A Relation message is returned: it must be defined before the next one. */
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

  /** What is ready: all whole commits, or a part of one that is a giant. */
  take(): Batch<OpenRecord> | undefined {
    if (this.#commit === undefined || this.#commitStart > 0) return this.#takeWhole()
    return this.isFull ? this.#takePart(this.#commit) : undefined
  }

  /** An idle moment: everything up to `walEnd` has been seen. */
  idle(walEnd: Lsn): Batch<OpenRecord> {
    this.#position = { ...this.#position, idle: walEnd }
    return { records: [], position: encodePosition(this.#position), complete: true }
  }

  /** A record that is no change of the database; between commits, it is one of its own. */
  add(make: (version: bigint) => OpenRecord): Batch<OpenRecord> {
    const lastVersion = this.#position.lastVersion + 1n
    this.#position = { ...this.#position, lastVersion }
    const position = encodePosition(this.#position)
    return { records: [make(lastVersion)], position, complete: true }
  }

  get position(): PostgresPosition {
    return this.#position
  }

  /** No commit is under way: something may be put between two. */
  get isBetweenCommits(): boolean {
    return this.#commit === undefined
  }

  /** Puts down in the position what others keep there. */
  amend(change: Partial<Pick<PostgresPosition, 'incremental' | 'unread' | 'lastVersion'>>): void {
    this.#position = { ...this.#position, ...change }
  }

  #takeWhole(): Batch<OpenRecord> | undefined {
    const count = this.#commit === undefined ? this.#records.length : this.#commitStart
    if (count === 0 && !this.#moved) return undefined
    const records = count === this.#records.length ? this.#records : this.#records.slice(0, count)
    this.#records = this.#records.slice(count)
    this.#commitStart = 0
    this.#moved = false
    this.#bytes = this.#commitBytes
    return { records, position: encodePosition(this.#position), complete: true }
  }

  #takePart(commit: OpenCommit): Batch<OpenRecord> {
    const held = new Set([...this.#last.values()].map(({ record }) => record.ordinal))
    const records = this.#records.filter(({ ordinal }) => !held.has(ordinal))
    this.#records = this.#records.filter(({ ordinal }) => held.has(ordinal))
    this.#bytes = this.#commitBytes = 0
    this.#position = {
      ...this.#position,
      commit: commit.lsn,
      ordinal: this.#ordinal,
      held: [...held],
      lastVersion: commit.version,
    }
    return { records, position: encodePosition(this.#position), complete: false }
  }

  #begin(bytes: Buffer, at: number): void {
    this.#enter(readBegin(bytes, at))
  }

  #enter({ lsn, micros, xid }: Begin): void {
    const before = this.#position
    const again = lsn === before.commit && isInside(before)
    const skip = lsn > before.commit ? 0 : again ? before.ordinal : Number.MAX_SAFE_INTEGER
    const next = before.lastVersion + 1n
    this.#commit = {
      ...{ lsn, xid, micros, skip, held: new Set(again ? before.held : []) },
      version: again ? before.lastVersion : lsn > next ? lsn : next,
      timestamp: Number(micros / 1000n),
      previous: before.commitEnd === 0n ? null : String(before.commitEnd),
    }
    this.#commitStart = this.#records.length
    this.#ordinal = 0
    if (xid !== 0) this.#observer?.begin(xid, skip === 0)
    const told = xid === 0 ? undefined : this.#transaction?.begin(this.#commit, lsn)
    if (told !== undefined && (skip === 0 || this.#commit.held.has(0))) this.#note(told)
  }

  #end(endLsn: Lsn): void {
    const commit = this.#commit!
    const isNew = commit.skip < Number.MAX_SAFE_INTEGER
    const told = isNew && commit.xid !== 0 ? this.#transaction?.end() : undefined
    if (told !== undefined) this.#note(told)
    for (const { record, bytes } of this.#last.values()) {
      record.endsCommit = true
      this.#bytes += bytes
    }
    this.#last.clear()
    this.#commit = undefined
    this.#commitStart = this.#commitBytes = 0
    if (!isNew) return
    const wrote = this.#ordinal > 0 || told !== undefined
    this.#position = {
      ...this.#position,
      ...{ commit: commit.lsn, ordinal: this.#ordinal, held: [], commitEnd: endLsn },
      lastVersion: wrote ? commit.version : this.#position.lastVersion,
      idle: undefined,
    }
    this.#moved = true
    this.#observer?.commit()
  }

  // Insert: oid:u32 'N' tuple
  #insert(bytes: Buffer, at: number, lsn: number): void {
    const relation = this.#wanted(bytes, at)
    if (relation === undefined || this.#isSkipped('c', relation)) return
    readTuple(bytes, at + 5, relation.row)
    const image = { row: relation.row }
    const key = this.#writer.key(bytes, relation, relation.row)
    const value = this.#emit(relation, key, bytes, {
      ...{ op: 'c', before: null, after: image, lsn, snapshot: 'false' },
    })
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
    const ordinal = this.#ordinal
    const gone = { op: 'd', before: { row: old }, after: null, lsn, snapshot: 'false' } as const
    if (!this.#isSkipped('d', relation)) {
      this.#emit(relation, oldKey, bytes, {
        ...gone,
        headers: { '__debezium.newkey': String(newKey) },
      })
      this.#ordinal = ordinal
      if (this.#options.tombstones) this.#push(relation, oldKey, null)
    }
    const came = { op: 'c', before: null, after: { row, old }, lsn, snapshot: 'false' } as const
    this.#ordinal = ordinal
    if (this.#isSkipped('c', relation)) return
    const unchanged = unchangedColumns(relation, row, old)
    const value = this.#emit(relation, newKey, bytes, {
      ...came,
      headers: { '__debezium.oldkey': String(oldKey), ...holes(unchanged) },
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
    const ordinal = this.#ordinal
    const value = this.#emit(relation, key, bytes, {
      ...{ op: 'd', before: { row: old }, after: null, lsn, snapshot: 'false' },
    })
    const seen = { op: 'd', key, oldKey: null, value, unchanged: undefined } as const
    this.#observer?.change(relation, bytes, seen)
    if (key === null || !this.#options.tombstones) return
    this.#ordinal = ordinal
    this.#push(relation, key, null)
    this.#ordinal = ordinal + 1
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
    const { skip, held } = this.#commit!
    const relation = this.#relations.get(oid)
    const isPassed = this.#ordinal < skip && !held.has(this.#ordinal)
    if (relation !== undefined && !isPassed) return relation
    if (relation !== undefined) this.#transaction?.count(relation)
    this.#ordinal++
    return undefined
  }

  /** Whether a change is left out: it is only counted. */
  #isSkipped(op: string, relation: Relation, isIdle = false): boolean {
    if (!isIdle && !this.#options.skipped.has(op)) return false
    this.#transaction?.count(relation)
    this.#ordinal++
    return true
  }

  // Message: flags:u8 (1: transactional) lsn:u64 prefix:string length:u32 content
  #message(bytes: Buffer, at: number): void {
    const prefixEnd = bytes.indexOf(0, at + 9)
    const prefix = bytes.toString('utf8', at + 9, prefixEnd)
    const length = bytes.readUInt32BE(prefixEnd + 1)
    const content = bytes.subarray(prefixEnd + 5, prefixEnd + 5 + length)
    const lsn = bytes.readBigUInt64BE(at + 1)
    const isWanted = !prefix.startsWith(ownPrefix) && this.#options.selectsMessage(prefix)
    if (prefix.startsWith(ownPrefix)) this.#observer?.message(prefix, content)
    if (this.#commit !== undefined) this.#tell({ prefix, content, lsn }, isWanted)
    else if (isWanted && lsn > this.#position.commit) {
      this.#enter({ lsn, micros: BigInt(Date.now()) * 1000n, xid: 0 })
      this.#tell({ prefix, content, lsn }, true)
      this.#end(lsn + 1n)
    }
  }

  #tell(message: LogicalMessage, isWanted: boolean): void {
    const { skip, held, xid } = this.#commit!
    const isPassed = this.#ordinal < skip && !held.has(this.#ordinal)
    const place = xid === 0 || !isWanted ? undefined : this.#transaction?.count(undefined)
    if (isWanted && !isPassed) this.#note(this.#writer.message(this.#commit!, message, place))
    this.#ordinal++
  }

  /** A record that is no row's. */
  #note({ topic, key, value }: TransactionRecord): void {
    const { timestamp, version } = this.#commit!
    const record: OpenRecord = {
      ...{ topic, key, value, timestamp, version, ordinal: this.#ordinal },
      ...{ endsCommit: false, headers: undefined, schema: undefined, cause: undefined },
    }
    this.#records.push(record)
    this.#hold(topic, record, key.length + value.length + 32)
  }

  #emit(relation: Relation, key: Buffer | null, bytes: Buffer, change: Emission): Buffer {
    const place = this.#transaction?.count(relation)
    const told = place === undefined ? change : { ...change, place }
    const value = this.#writer.value(bytes, relation, this.#commit!, told)
    this.#push(relation, key, value, change.headers)
    this.#ordinal++
    return value
  }

  #push(
    relation: Relation,
    key: Buffer | null,
    value: Buffer | null,
    headers?: Record<string, string>,
  ): void {
    if (relation.topic === this.#observer?.mutedTopic) return
    const commit = this.#commit!
    const place = { relation, commit, timestamp: commit.timestamp, ordinal: this.#ordinal }
    const record = makeRecord(place, key, value, headers)
    this.#records.push(record)
    this.#hold(relation.topic, record, (key?.length ?? 0) + (value?.length ?? 0) + 32)
  }

  /** The record takes the place of the topic's last one, which may go out from now on. */
  #hold(topic: string, record: OpenRecord, bytes: number): void {
    const last = this.#last.get(topic)
    if (last === undefined) {
      this.#last.set(topic, { record, bytes })
      return
    }
    if (last.record.ordinal === record.ordinal) last.bytes += bytes
    else {
      this.#bytes += last.bytes
      this.#commitBytes += last.bytes
      last.bytes = bytes
    }
    last.record = record
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

import { unchangedHeader } from '../../src/core/record.ts'
import type { Batch } from '../../src/core/source.ts'
import {
  type Commit,
  EnvelopeWriter,
  makeRecord,
  type OpenRecord,
  type Origin,
} from './envelope-writer.ts'
import { formatLsn, type Lsn } from './lsn.ts'
import {
  letter,
  type RelationMessage,
  readBegin,
  readCommitEnd,
  readRelation,
  readTruncate,
} from './pgoutput.ts'
import { encodePosition, isInside, type PostgresPosition } from './position.ts'
import type { Relation } from './relation.ts'
import { keepIdentityOnly, sameKey, unchangedColumns } from './row.ts'
import { readTuple } from './tuple.ts'

/** A batch is due after so many bytes; a commit that is larger goes out in parts of this size. */
const batchBytes = 1024 * 1024

const tagOld = 0x4f
const tagKey = 0x4b

export interface Decoding {
  readonly origin: Origin
  readonly position: PostgresPosition
  /** Relation of an OID, as far as it was defined. */
  readonly relations: ReadonlyMap<number, Relation>
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
  /** The last whole commit, or the part of the current one that went out. */
  #position: PostgresPosition
  #records: OpenRecord[] = []
  #bytes = 0
  #commit: OpenCommit | undefined
  /** Where in #records the current commit begins. */
  #commitStart = 0
  #ordinal = 0
  /** The current commit's last record in each topic. */
  readonly #last = new Map<string, OpenRecord>()
  #moved = false

  constructor({ origin, position, relations }: Decoding) {
    this.#writer = new EnvelopeWriter(origin)
    this.#relations = relations
    this.#position = position
  }

  /** No BEGIN without its COMMIT, and nothing that waits to go out. */
  get isIdle(): boolean {
    return this.#commit === undefined && this.#records.length === 0 && !this.#moved
  }

  get isFull(): boolean {
    return this.#bytes >= batchBytes
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
      default: // Types, origins and logical messages change no row.
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

  get position(): PostgresPosition {
    return this.#position
  }

  #takeWhole(): Batch<OpenRecord> | undefined {
    const count = this.#commit === undefined ? this.#records.length : this.#commitStart
    if (count === 0 && !this.#moved) return undefined
    const records = count === this.#records.length ? this.#records : this.#records.slice(0, count)
    this.#records = this.#records.slice(count)
    this.#commitStart = 0
    this.#moved = false
    this.#bytes = sizeOf(this.#records)
    return { records, position: encodePosition(this.#position), complete: true }
  }

  #takePart(commit: OpenCommit): Batch<OpenRecord> {
    const held = new Set([...this.#last.values()].map(({ ordinal }) => ordinal))
    const records = this.#records.filter(({ ordinal }) => !held.has(ordinal))
    this.#records = this.#records.filter(({ ordinal }) => held.has(ordinal))
    this.#bytes = sizeOf(this.#records)
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
    const { lsn, micros, xid } = readBegin(bytes, at)
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
  }

  #end(endLsn: Lsn): void {
    const commit = this.#commit!
    for (const record of this.#last.values()) record.endsCommit = true
    this.#last.clear()
    this.#commit = undefined
    this.#commitStart = 0
    if (commit.skip === Number.MAX_SAFE_INTEGER) return
    const wrote = this.#ordinal > 0
    this.#position = {
      ...this.#position,
      ...{ commit: commit.lsn, ordinal: this.#ordinal, held: [], commitEnd: endLsn },
      lastVersion: wrote ? commit.version : this.#position.lastVersion,
      idle: undefined,
    }
    this.#moved = true
  }

  // Insert: oid:u32 'N' tuple
  #insert(bytes: Buffer, at: number, lsn: number): void {
    const relation = this.#relation(bytes, at)
    if (relation === undefined || this.#isPassed()) return
    readTuple(bytes, at + 5, relation.row)
    const image = { row: relation.row }
    this.#emit(relation, this.#writer.key(bytes, relation, relation.row), bytes, {
      ...{ op: 'c', before: null, after: image, lsn, snapshot: 'false' },
    })
  }

  // Update: oid:u32 ('K' tuple | 'O' tuple)? 'N' tuple
  #update(bytes: Buffer, at: number, lsn: number): void {
    const relation = this.#relation(bytes, at)
    if (relation === undefined || this.#isPassed()) return
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
    const headers = holes(unchangedColumns(relation, row, full))
    const before = hasOld ? { row: old } : null
    const change = { op: 'u', before, after: { row, old: full }, lsn, snapshot: 'false' } as const
    const keyRow = hasOld && relation.key.length > 0 ? old : row
    this.#emit(relation, this.#writer.key(bytes, relation, keyRow), bytes, change, headers)
  }

  /** The old key is deleted, the new one created; both say where the row went, or came from. */
  #changeKey(bytes: Buffer, relation: Relation, lsn: number): void {
    const { row, old } = relation
    const oldKey = this.#writer.key(bytes, relation, old)
    const newKey = this.#writer.key(bytes, relation, row)
    const ordinal = this.#ordinal
    const gone = { op: 'd', before: { row: old }, after: null, lsn, snapshot: 'false' } as const
    this.#emit(relation, oldKey, bytes, gone, { '__debezium.newkey': String(newKey) })
    this.#ordinal = ordinal
    this.#push(relation, oldKey, null)
    const came = { op: 'c', before: null, after: { row, old }, lsn, snapshot: 'false' } as const
    this.#ordinal = ordinal
    this.#emit(relation, newKey, bytes, came, {
      ...{ '__debezium.oldkey': String(oldKey) },
      ...holes(unchangedColumns(relation, row, old)),
    })
  }

  // Delete: oid:u32 ('K' tuple | 'O' tuple)
  #delete(bytes: Buffer, at: number, lsn: number): void {
    const relation = this.#relation(bytes, at)
    if (relation === undefined || this.#isPassed()) return
    const { old } = relation
    readTuple(bytes, at + 5, old)
    if (bytes[at + 4] === tagKey) keepIdentityOnly(relation, old)
    const key = this.#writer.key(bytes, relation, old)
    const ordinal = this.#ordinal
    this.#emit(relation, key, bytes, {
      ...{ op: 'd', before: { row: old }, after: null, lsn, snapshot: 'false' },
    })
    if (key === null) return
    this.#ordinal = ordinal
    this.#push(relation, key, null)
    this.#ordinal = ordinal + 1
  }

  #truncate(bytes: Buffer, at: number, lsn: number): void {
    if (this.#isPassed()) return
    const ordinal = this.#ordinal
    for (const oid of readTruncate(bytes, at)) {
      const relation = this.#relations.get(oid)
      if (relation === undefined) continue
      this.#ordinal = ordinal
      this.#emit(relation, null, bytes, {
        ...{ op: 't', before: null, after: null, lsn, snapshot: 'false' },
      })
    }
    this.#ordinal = ordinal + 1
  }

  #relation(bytes: Buffer, at: number): Relation | undefined {
    return this.#relations.get(bytes.readUInt32BE(at))
  }

  /** Whether the change at hand went out in an earlier life; then it is only counted. */
  #isPassed(): boolean {
    const { skip, held } = this.#commit!
    if (this.#ordinal >= skip || held.has(this.#ordinal)) return false
    this.#ordinal++
    return true
  }

  #emit(
    relation: Relation,
    key: Buffer | null,
    bytes: Buffer,
    change: Parameters<EnvelopeWriter['value']>[3],
    headers?: Record<string, string>,
  ): void {
    const value = this.#writer.value(bytes, relation, this.#commit!, change)
    this.#push(relation, key, value, headers)
    this.#ordinal++
  }

  #push(
    relation: Relation,
    key: Buffer | null,
    value: Buffer | null,
    headers?: Record<string, string>,
  ): void {
    const commit = this.#commit!
    const place = { relation, commit, timestamp: commit.timestamp, ordinal: this.#ordinal }
    const record = makeRecord(place, key, value, headers)
    this.#records.push(record)
    this.#last.set(relation.topic, record)
    this.#bytes += (key?.length ?? 0) + (value?.length ?? 0) + 32
  }
}

/** Columns without a value, said in a header so that no placeholder can reach a sink. */
function holes(names: readonly string[] | undefined): Record<string, string> | undefined {
  return names && { [unchangedHeader]: JSON.stringify(names) }
}

function sizeOf(records: readonly OpenRecord[]): number {
  let bytes = 0
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0) + 32
  return bytes
}

/** For messages about where the decoder is. */
export function describePlace({ commitEnd }: PostgresPosition): string {
  return formatLsn(commitEnd)
}

import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import { writeDigits } from '../values/digits.ts'
import type { ChangeImage, Commit, Origin } from './envelope-writer.ts'
import type { Relation } from './relation.ts'
import { writeNull } from './row.ts'

/*
 * What an envelope says of its origin, in pieces: `{}` stands for digits.
 *
 *   ,"source":{"version":…,"connector":"postgresql","name":…,"ts_ms":{},"snapshot":"false","db":…,
 *   "sequence":"[\"{}\",\"{}\"]","ts_us":{},"ts_ns":{}000,"schema":…,"table":…,"txId":{},"lsn":{}
 *
 * `xmin` and the closing brace are not written here.
 */

const bytesOf = (text: string) => Buffer.from(text)
const quoteMark = bytesOf('\\"')
const betweenLsns = bytesOf(',\\"')
const beforeMicros = bytesOf('\\"]","ts_us":')
const beforeNanos = bytesOf(',"ts_ns":')
const beforeLsn = bytesOf(',"lsn":')

/** The pieces that are constant for a relation and a kind of snapshot. */
interface Pieces {
  readonly beforeMs: Buffer
  readonly beforeSequence: Buffer
  readonly beforeXid: Buffer
}

/**
 * Writes the beginning of `source`. The first change of a commit puts it together; the others copy
 * from that one, all but their LSN.
 */
export class SourceWriter {
  readonly #origin: Origin
  readonly #pieces: Readonly<Record<ChangeImage['snapshot'], WeakMap<Relation, Pieces>>> = {
    ...{ true: new WeakMap(), false: new WeakMap(), incremental: new WeakMap() },
  }
  #relation: Relation | undefined
  #commit: Commit | undefined
  #snapshot = ''
  /** An envelope of the commit, and where in it the pieces around the first LSN stand. */
  #first: Buffer | undefined
  #headAt = 0
  #headEnd = 0
  #middleAt = 0
  #middleEnd = 0
  /** The two pieces, once a second change needs them. */
  #head: Buffer | undefined
  #middle: Buffer | undefined

  constructor(origin: Origin) {
    this.#origin = origin
  }

  write(out: ByteWriter, relation: Relation, commit: Commit, change: ChangeImage): void {
    const { snapshot, lsn } = change
    if (commit !== this.#commit || relation !== this.#relation || snapshot !== this.#snapshot) {
      this.#begin(out, relation, commit, change)
      return
    }
    if (this.#head === undefined || this.#middle === undefined) {
      this.#head = this.#first!.subarray(this.#headAt, this.#headEnd)
      this.#middle = this.#first!.subarray(this.#middleAt, this.#middleEnd)
    }
    out.copy(this.#head)
    writeDigits(out, lsn)
    out.copy(this.#middle)
    writeDigits(out, lsn)
  }

  /** Shows the whole envelope for which `write` was called last. */
  keep(envelope: Buffer): void {
    if (this.#first === undefined) this.#first = envelope
  }

  #begin(out: ByteWriter, relation: Relation, commit: Commit, change: ChangeImage): void {
    const { snapshot, lsn } = change
    this.#relation = relation
    this.#commit = commit
    this.#snapshot = snapshot
    this.#first = this.#head = this.#middle = undefined
    const pieces = this.#piecesOf(relation, snapshot)
    this.#headAt = out.length
    writeHead(out, pieces, commit)
    this.#headEnd = out.length
    writeDigits(out, lsn)
    this.#middleAt = out.length
    writeMiddle(out, pieces, commit)
    this.#middleEnd = out.length
    writeDigits(out, lsn)
  }

  #piecesOf(relation: Relation, snapshot: ChangeImage['snapshot']): Pieces {
    const known = this.#pieces[snapshot]
    let pieces = known.get(relation)
    if (pieces === undefined)
      known.set(relation, (pieces = piecesOf(this.#origin, relation, snapshot)))
    return pieces
  }
}

function writeHead(out: ByteWriter, pieces: Pieces, { micros, previous }: Commit): void {
  out.copy(pieces.beforeMs)
  writeDigits(out, Math.floor(micros / 1000))
  out.copy(pieces.beforeSequence)
  if (previous === 0) writeNull(out)
  else {
    out.copy(quoteMark)
    writeDigits(out, previous)
    out.copy(quoteMark)
  }
  out.copy(betweenLsns)
}

function writeMiddle(out: ByteWriter, pieces: Pieces, { micros, xid }: Commit): void {
  out.copy(beforeMicros)
  writeDigits(out, micros)
  out.copy(beforeNanos)
  writeDigits(out, micros)
  out.copy(pieces.beforeXid)
  if (xid === 0) writeNull(out)
  else writeDigits(out, xid)
  out.copy(beforeLsn)
}

function piecesOf(origin: Origin, { namespace, name: table }: Relation, snapshot: string): Pieces {
  const { version, name, database } = origin
  const connector = `,"source":{"version":${quote(version)},"connector":"postgresql"`
  return {
    beforeMs: bytesOf(`${connector},"name":${quote(name)},"ts_ms":`),
    beforeSequence: bytesOf(`,"snapshot":"${snapshot}","db":${quote(database)},"sequence":"[`),
    beforeXid: bytesOf(`000,"schema":${quote(namespace)},"table":${quote(table)},"txId":`),
  }
}

function quote(text: string): string {
  return JSON.stringify(text)
}

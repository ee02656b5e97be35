import { readLsn } from './lsn.ts'

/*
 * The messages of the plugin pgoutput, protocol version 1, but for rows: those are read in place
 * (tuple.ts). Numbers are big-endian, strings end with a zero byte. The grammar above each function
 * leaves out the letter that opens the message.
 */

export const letter = {
  begin: 0x42,
  commit: 0x43,
  origin: 0x4f,
  relation: 0x52,
  type: 0x59,
  insert: 0x49,
  update: 0x55,
  delete: 0x44,
  truncate: 0x54,
  message: 0x4d,
} as const

/** Microseconds from 1970 to 2000, where Postgres counts from. */
const epochMicros = 946_684_800_000_000

export interface Begin {
  /** Where the commit record starts. */
  readonly lsn: number
  /** Microseconds since 1970: exact until the year 2255. */
  readonly micros: number
  readonly xid: number
}

// Begin: finalLsn:u64 committedAt:i64 xid:u32
export function readBegin(bytes: Buffer, at: number): Begin {
  return {
    lsn: readLsn(bytes, at),
    micros: bytes.readInt32BE(at + 8) * 2 ** 32 + bytes.readUInt32BE(at + 12) + epochMicros,
    xid: bytes.readUInt32BE(at + 16),
  }
}

// Commit: flags:u8 commitLsn:u64 endLsn:u64 committedAt:i64
export function readCommitEnd(bytes: Buffer, at: number): number {
  return readLsn(bytes, at + 9)
}

export interface RelationMessage {
  readonly oid: number
  readonly namespace: string
  readonly name: string
  /** d(efault), n(othing), f(ull) or i(ndex). */
  readonly identity: string
  readonly columns: readonly RelationColumn[]
}

export interface RelationColumn {
  readonly name: string
  /** Part of the replica identity. */
  readonly identity: boolean
  readonly typeOid: number
  readonly typmod: number
}

// Relation: oid:u32 namespace:string name:string identity:u8 count:u16 column*
//   column: flags:u8 name:string typeOid:u32 typmod:i32
export function readRelation(bytes: Buffer, start: number): RelationMessage {
  const oid = bytes.readUInt32BE(start)
  const [namespace, afterNamespace] = readString(bytes, start + 4)
  const [name, afterName] = readString(bytes, afterNamespace)
  const identity = String.fromCharCode(bytes[afterName]!)
  const count = bytes.readUInt16BE(afterName + 1)
  const columns: RelationColumn[] = []
  let at = afterName + 3
  for (let i = 0; i < count; i++) {
    const [column, next] = readString(bytes, at + 1)
    columns.push({
      name: column,
      identity: (bytes[at]! & 1) === 1,
      typeOid: bytes.readUInt32BE(next),
      typmod: bytes.readInt32BE(next + 4),
    })
    at = next + 8
  }
  return { oid, namespace: namespace || 'pg_catalog', name, identity, columns }
}

// Truncate: count:u32 options:u8 oid:u32*
export function readTruncate(bytes: Buffer, at: number): readonly number[] {
  const count = bytes.readUInt32BE(at)
  return Array.from({ length: count }, (_, i) => bytes.readUInt32BE(at + 5 + 4 * i))
}

function readString(bytes: Buffer, at: number): [text: string, next: number] {
  const end = bytes.indexOf(0, at)
  return [bytes.toString('utf8', at, end), end + 1]
}

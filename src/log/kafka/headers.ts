/*
 * What a record of ours bears beside key and value, in ASCII, as Kafka has no place for it:
 *
 *   millrace.version  the version, in digits
 *   millrace.ordinal  the place inside the commit, where it is not 0
 *   millrace.end      `1` on the commit's last record in this topic and partition
 *   millrace.cause    the sequence of the source commit that caused it
 *   millrace.schema   names the schema of the row: see schemas.ts
 *
 * and the record's own headers, with those of its format: see ../formats/format.ts. A record
 * without `millrace.version` was written by somebody else: it is a commit of its own, and its
 * version is its offset plus one.
 */
import { ByteWriter } from '../../core/byte-writer.ts'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { RawRecord } from './batch-reader.ts'
import { putVarint } from './record-batch.ts'

const names = {
  version: nameBytes('millrace.version'),
  ordinal: nameBytes('millrace.ordinal'),
  end: nameBytes('millrace.end'),
  cause: nameBytes('millrace.cause'),
  schema: nameBytes('millrace.schema'),
} as const

/** Encodes the headers of records, one after another. */
export class HeaderWriter {
  readonly #out = new ByteWriter(4 * 1024)
  #version = -1n
  /** Header of the version: the same for all records of a commit. */
  #versionBytes: Uint8Array = Buffer.alloc(0)

  /** Good until the next call. */
  encode(record: NewRecord, endsCommit: boolean, schema: string | undefined): Uint8Array {
    const { ordinal, cause, headers } = record
    const own = headers === undefined ? [] : Object.entries(headers)
    const count =
      1 +
      (ordinal === 0 ? 0 : 1) +
      (endsCommit ? 1 : 0) +
      (cause === undefined ? 0 : 1) +
      (schema === undefined ? 0 : 1) +
      own.length
    const out = this.#out
    out.rewind()
    out.begin()
    out.reserve(256)
    putVarint(out, count * 2)
    out.copy(this.#versionOf(record.version))
    if (ordinal !== 0) put(out, names.ordinal, String(ordinal))
    if (endsCommit) put(out, names.end, '1')
    if (cause !== undefined) put(out, names.cause, String(cause))
    if (schema !== undefined) put(out, names.schema, schema)
    for (const [name, value] of own) put(out, nameBytes(name), value)
    return out.take()
  }

  #versionOf(version: bigint): Uint8Array {
    if (version !== this.#version) {
      const out = new ByteWriter(64)
      out.begin()
      put(out, names.version, String(version))
      this.#versionBytes = out.take()
      this.#version = version
    }
    return this.#versionBytes
  }
}

function put(out: ByteWriter, name: Uint8Array, text: string): void {
  const bytes = Buffer.byteLength(text)
  out.reserve(name.length + bytes * 3 + 5)
  out.copy(name)
  putVarint(out, bytes * 2)
  out.utf8(text)
}

/** A header's name with its length before it. */
function nameBytes(name: string): Uint8Array {
  const out = new ByteWriter(name.length * 3 + 5)
  out.begin()
  out.reserve(5)
  putVarint(out, Buffer.byteLength(name) * 2)
  out.utf8(name)
  return out.take()
}

/** Where a record was found. */
export interface Origin {
  readonly topic: string
  readonly partition: number
  /** Gives the record the schema that it names. */
  readonly attach: (record: Found, id: string) => void
}

/** A record on its way to the reader, who says later which sequence it has. */
export type Found = { -readonly [Name in keyof LogRecord]: LogRecord[Name] } & {
  /** Somebody else has written it. */
  isForeign?: boolean
}

/** The record behind the bytes. */
export function toRecord(raw: RawRecord, { topic, partition, attach }: Origin): Found {
  const record: Found = {
    topic,
    partition,
    offset: BigInt(raw.offset),
    sequence: 0n,
    key: raw.key,
    value: raw.value,
    timestamp: raw.timestamp,
    version: 0n,
    ordinal: 0,
    endsCommit: false,
    headers: undefined,
    cause: undefined,
    schema: undefined,
  }
  let own: Record<string, string> | undefined
  let isOurs = false
  for (const [name, value] of raw.headers) {
    switch (name) {
      case 'millrace.version':
        isOurs = true
        record.version = BigInt(latin1(value))
        break
      case 'millrace.ordinal':
        record.ordinal = Number(latin1(value))
        break
      case 'millrace.end':
        record.endsCommit = true
        break
      case 'millrace.cause':
        record.cause = BigInt(latin1(value))
        break
      case 'millrace.schema':
        attach(record, latin1(value))
        break
      default:
        own ??= Object.create(null) as Record<string, string> // `__proto__` is a name, too.
        own[name] = value?.toString() ?? ''
    }
  }
  record.headers = own
  if (!isOurs) {
    record.isForeign = true
    record.version = record.offset + 1n
    record.ordinal = 0
    record.endsCommit = true
  }
  return record
}

function latin1(bytes: Buffer | null): string {
  return bytes?.toString('latin1') ?? '0'
}

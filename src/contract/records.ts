import type { Row } from '../core/json.ts'
import type { LogRecord } from '../core/record.ts'
import { stringifyRow } from '../core/row.ts'
import type { Batch, Position } from '../core/source.ts'

/** Where a record stands; what is left out follows from the version. */
export interface Place {
  readonly version?: number | bigint
  readonly ordinal?: number
  readonly topic?: string
  readonly partition?: number
  readonly timestamp?: number
}

/** A key, by its columns, or the one column `id`. */
export type Key = Row | string | number | bigint

/** A row as it is after a change: an object, or JSON text to be taken as it is. */
export type After = Row | string

/** An update, in Debezium's envelope. */
export function put(key: Key, after: After, place: Place = {}): LogRecord {
  return record(key, { op: 'u', after, place })
}

/** An update that tells the row before, or a delete that does, if there is none after. */
export function moved(key: Key, before: Row, after: Row | null, place: Place = {}): LogRecord {
  const op = after === null ? 'd' : 'u'
  const made = record(key, { op, after: after ?? 'null', place })
  const value = String(made.value).replace('"before":null', `"before":${stringifyRow(before)}`)
  return { ...made, value: Buffer.from(value) }
}

/** A delete, in Debezium's envelope. */
export function remove(key: Key, place: Place = {}): LogRecord {
  return record(key, { op: 'd', after: 'null', place })
}

/** A record without a value. */
export function tombstone(key: Key, place: Place = {}): LogRecord {
  return { ...remove(key, place), value: null }
}

/** Any change that concerns no row: `t`, a truncate, or `m`, a logical message. */
export function note(op: 't' | 'm', place: Place = {}): LogRecord {
  return { ...record('', { op, after: 'null', place }), key: null }
}

/** What a source would hand to a sink. */
export function batch(records: readonly LogRecord[], position = ''): Batch<LogRecord> {
  return { records, position: position as Position, complete: true }
}

interface Change {
  readonly op: string
  readonly after: After
  readonly place: Place
}

function record(key: Key, { op, after, place }: Change): LogRecord {
  const version = BigInt(place.version ?? 1)
  const timestamp = place.timestamp ?? 1_700_000_000_000 + Number(version % 1_000_000n)
  const text = typeof after === 'string' ? after : stringifyRow(after)
  const source = `{"connector":"postgresql","schema":"public","table":"orders","lsn":${version}}`
  const value = `{"before":null,"after":${text},"source":${source},"op":"${op}","ts_ms":${timestamp}}`
  return {
    topic: place.topic ?? 'orders',
    partition: place.partition ?? 0,
    offset: version,
    sequence: version,
    key: Buffer.from(stringifyRow(typeof key === 'object' ? key : { id: key })),
    value: Buffer.from(value),
    timestamp,
    version,
    ordinal: place.ordinal ?? 0,
    endsCommit: true,
  }
}

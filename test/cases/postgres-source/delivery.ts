import type { NewRecord } from '../../../src/core/record.ts'
import { isObject, parseJson } from '../json.ts'

/** A record as expectations speak of it: its JSON parsed, with the envelope's members beside it. */
export interface Delivery {
  readonly topic: string
  readonly key: unknown
  readonly value: unknown
  readonly tombstone: boolean
  readonly op: unknown
  readonly before: unknown
  readonly after: unknown
  readonly source: unknown
  readonly transaction: unknown
  readonly message: unknown
  readonly headers: Readonly<Record<string, unknown>>
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

export function parseRecord({ topic, key, value, headers }: NewRecord): Delivery {
  const parsed = value === null ? null : parseJson(utf8.decode(value))
  const envelope = isObject(parsed) ? parsed : {}
  return {
    ...{ topic, value: parsed, tombstone: value === null },
    key: key === null ? null : parseJson(utf8.decode(key)),
    ...{ op: envelope.op, before: envelope.before, after: envelope.after },
    ...{ source: envelope.source, transaction: envelope.transaction, message: envelope.message },
    headers: headers ?? {},
  }
}

/** Whether a record came from the initial snapshot; an incremental one is part of the stream. */
export function isSnapshot({ source }: Delivery): boolean {
  const mark = isObject(source) ? source.snapshot : undefined
  return (
    mark !== undefined && mark !== null && !['false', false, 'incremental'].includes(mark as string)
  )
}

/** Records that tell about the stream itself, not about rows: nobody has to expect them. */
export function isControl({ topic }: Delivery): boolean {
  return topic === 'test_server.transaction' || topic.startsWith('__debezium-heartbeat.')
}

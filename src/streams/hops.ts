/*
 * What the tasks of one topology tell each other, where several share its keys: records of the
 * topic `__millrace.<pipeline>.<topology>.<hash>.repartition`, in the partition of the task that
 * has the key. The hash is the definition's: tasks of another one say nothing that would be of use.
 *
 *   key          the key in its canonical form, as partitions go by its bytes
 *   millrace.to  `topic <name>`: the record of that topic; or a boundary, whose item is the value
 */
import { readChange } from '../core/envelope.ts'
import type { Json } from '../core/json.ts'
import type { LogRecord, NewRecord } from '../core/record.ts'
import { type KeyShape, shapeOf } from './key.ts'
import { decodeValue, encodeKey, encodeValue } from './stores/value-codec.ts'
import type { StreamTopology } from './stream-topology.ts'

const toHeader = 'millrace.to'

export function hopsTopic(pipeline: string, { name, hash }: StreamTopology): string {
  return `__millrace.${pipeline}.${name}.${hash.slice(0, 12)}.repartition`
}

/** As topologies write keys: an object of columns. Equal keys are the same bytes. */
export function keyJson(key: Json, column: string): string {
  if (typeof key === 'object' && !Array.isArray(key)) return encodeKey(key)
  return `{${JSON.stringify(column)}:${encodeKey(key)}}`
}

/** What decides which task has a key: partitions go by these bytes. */
export function hopKey(key: Json): Buffer | null {
  return key === null ? null : Buffer.from(keyJson(key, 'key'))
}

type Hop = Pick<NewRecord, 'topic' | 'key' | 'value' | 'headers' | 'timestamp'>

/** An item that crosses a boundary. */
export function itemHop(
  topic: string,
  to: string,
  { key, item }: { readonly key: Json; readonly item: { readonly timestamp: number } },
): Hop {
  const value = Buffer.from(encodeValue(item as unknown as Json))
  return { topic, key: hopKey(key), value, headers: { [toHeader]: to }, timestamp: item.timestamp }
}

/** Where a record is for, and the record or item itself. */
export type Arrival =
  | { readonly record: LogRecord }
  | { readonly boundary: string; readonly item: unknown }

export function readHop({ headers, ...record }: LogRecord): Arrival {
  const { [toHeader]: to = '', ...own } = headers ?? {}
  if (!to.startsWith('topic ')) {
    return { boundary: to, item: decodeValue(Buffer.from(record.value!).toString()) }
  }
  const isBare = Object.keys(own).length === 0
  return { record: { ...record, topic: to.slice(6), headers: isBare ? undefined : own } }
}

/** Passes the records of one topic on. A tombstone right behind its delete says nothing new. */
export class Forwarder {
  readonly #topic: string
  #shape: KeyShape | undefined
  #deleted: Uint8Array | undefined

  constructor(topic: string) {
    this.#topic = topic
  }

  /** Throws SyntaxError for what is no change. */
  forward(record: LogRecord): (Hop & Pick<NewRecord, 'version' | 'schema'>) | undefined {
    const { key, value, timestamp, version, schema, headers } = record
    const deleted = this.#deleted
    this.#deleted = undefined
    if (value === null) {
      if (deleted !== undefined && key !== null && Buffer.compare(deleted, key) === 0) return
    } else if (readChange(record).op === 'd') this.#deleted = key ?? undefined
    const to = { [toHeader]: `topic ${record.topic}` }
    const hop = { key: this.#key(key), value, timestamp, version, schema }
    return { ...hop, topic: this.#topic, headers: { ...headers, ...to } }
  }

  #key(bytes: Uint8Array | null): Buffer | null {
    if (bytes === null) return null
    let key = this.#shape?.read(bytes)
    if (key === undefined) {
      this.#shape = shapeOf(bytes)
      key = this.#shape.read(bytes)!
    }
    return hopKey(this.#shape!.value(key))
  }
}

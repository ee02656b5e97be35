import { ByteWriter } from '../core/byte-writer.ts'
import { ChangeEncoder, type ViewOrigin } from '../core/encode-change.ts'
import type { Row } from '../core/json.ts'
import type { NewRecord } from '../core/record.ts'
import { stringifyRow } from '../core/row.ts'
import type { Schema } from '../core/schema.ts'
import type { Emission, Output } from './emission.ts'
import type { Key } from './key.ts'
import type { Node } from './node.ts'
import type { Space } from './space.ts'
import { failure, type Place } from './user-function.ts'

export interface ViewOutputOptions {
  readonly topic: string
  readonly node: Node
  readonly documents: Space
  readonly pending: Space
  readonly origin: ViewOrigin
  readonly place: Place
}

/**
 * What a view has told its topic, and what it has yet to tell: the documents as last emitted, and
 * the keys that may have changed since. The keys wait in memory, and in the store once a commit
 * takes more than one transaction.
 */
export class ViewOutput {
  readonly topic: string
  readonly #node: Node
  readonly #documents: Space
  readonly #pending: Space
  readonly #place: Place
  readonly #out = new ByteWriter()
  readonly #encoder: ChangeEncoder
  readonly #changed = new Set<Key>()
  #hasStored = false
  #hasBigints = false

  constructor({ topic, node, documents, pending, origin, place }: ViewOutputOptions) {
    this.topic = topic
    this.#node = node
    this.#documents = documents
    this.#pending = pending
    this.#place = place
    this.#encoder = new ChangeEncoder(this.#out, origin)
  }

  get hasPending(): boolean {
    return this.#hasStored || this.#changed.size > 0
  }

  /** Takes the keys that the round changed. */
  noteChanges(): void {
    for (const key of this.#node.delta.keys()) this.#changed.add(key)
  }

  /** After a rebuild a document may be gone although nothing ever touched its key. */
  noteDocuments(): void {
    for (const [key] of this.#documents.entries()) this.#pending.put(key, nothing)
    this.#hasStored = true
  }

  /** Some keys are in the store, from before a restart. */
  findPending(): void {
    this.#hasStored = true
  }

  /** Moves the keys to the store. */
  spill(): void {
    if (this.#changed.size === 0) return
    for (const key of this.#changed) this.#pending.put(key, nothing)
    this.#changed.clear()
    this.#hasStored = true
  }

  /**
   * Adds what really changed to the output, until that is full, and remembers it as told. Returns
   * whether that was all; if not, it is to be called again. Each change is held back until another
   * one follows, since the last one ends the commit in this topic.
   */
  emit(commit: Emission, output: Output): boolean {
    if (this.#hasStored) this.spill()
    let held: Difference | undefined
    for (const key of this.#keys()) {
      const next = this.#difference(key, commit, output)
      if (next === undefined) {
        this.#forget(key)
        continue
      }
      if (held !== undefined) {
        this.#tell(held, output, commit, false)
        if (output.isFull) return false
      }
      held = next
    }
    if (held !== undefined) this.#tell(held, output, commit, true)
    this.#hasStored = false
    return true
  }

  *#keys(): Generator<Key> {
    if (!this.#hasStored) yield* this.#changed
    else for (const [key] of this.#pending.entries()) yield key
  }

  #forget(key: Key): void {
    if (this.#hasStored) this.#pending.delete(key)
    else this.#changed.delete(key)
  }

  /** How the document differs from the one emitted last, if it does. */
  #difference(key: Key, commit: Emission, { processedAt }: Output): Difference | undefined {
    const document = this.#document(key)
    const before = this.#documents.get(key) ?? null
    const after = document?.bytes ?? null
    if (after === null ? before === null : before !== null && after.equals(before)) return undefined
    const { timestamp, cause } = commit
    const change = { before, after, timestamp, processedAt, sequence: cause }
    return { key, after, schema: document?.schema, value: this.#encoder.encode(change) }
  }

  #tell(
    { key, after, schema, value }: Difference,
    output: Output,
    { version, timestamp, cause }: Emission,
    endsCommit: boolean,
  ): void {
    const record: Omit<NewRecord, 'ordinal' | 'endsCommit'> = {
      topic: this.topic,
      key: Buffer.from(this.#node.keys!.toJson(key)),
      value,
      timestamp,
      version,
      cause,
      ...(schema === undefined ? undefined : { schema }),
    }
    if (after === null) {
      this.#documents.delete(key)
      output.add(record, false)
      output.add({ ...record, value: null }, endsCommit)
    } else {
      this.#documents.put(key, after)
      output.add(record, endsCommit)
    }
    this.#forget(key)
  }

  #document(key: Key): Document | null {
    if (this.#node.text !== undefined) {
      const row = this.#node.text(key)
      return row === null ? null : { bytes: this.#bytes(row.text), schema: row.schema }
    }
    const row = this.#node.get(key)
    return row === null ? null : { bytes: this.#bytes(this.#rendered(key, row)), schema: undefined }
  }

  /** Rendering without a replacer takes a third of the time, but knows no bigints. */
  #rendered(key: Key, row: Row): string {
    try {
      if (!this.#hasBigints) return JSON.stringify(row)
    } catch {
      this.#hasBigints = true
    }
    try {
      return stringifyRow(row)
    } catch (cause) {
      throw failure(this.#place, key, cause)
    }
  }

  #bytes(text: string): Buffer {
    this.#out.begin()
    this.#out.utf8(text)
    return this.#out.take()
  }
}

interface Document {
  readonly bytes: Buffer
  readonly schema: Schema | undefined
}

/** A document that has changed, on its way into the topic. */
interface Difference {
  readonly key: Key
  readonly after: Buffer | null
  readonly schema: Schema | undefined
  /** The change's envelope. */
  readonly value: Buffer
}

const nothing = new Uint8Array(0)

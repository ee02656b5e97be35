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
import type { State } from './state.ts'
import { failure, type Place } from './user-function.ts'

export interface ViewOutputOptions {
  readonly topic: string
  readonly node: Node
  readonly state: State
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
  readonly #state: State
  readonly #documents: Space
  readonly #pending: Space
  readonly #place: Place
  readonly #out = new ByteWriter()
  readonly #encoder: ChangeEncoder
  readonly #changed = new Set<Key>()
  #hasStored = false
  #hasBigints = false

  constructor({ topic, node, state, documents, pending, origin, place }: ViewOutputOptions) {
    this.topic = topic
    this.#node = node
    this.#state = state
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
   * Adds what really changed to the output, until that is full or others should get their turn,
   * and remembers it as told. Returns whether that was all; if not, it is to be called again. Each
   * change is held back until another one follows, since the last one ends the commit in this
   * topic.
   */
  emit(commit: Emission, output: Output): boolean {
    if (this.#hasStored) this.spill()
    let held: Difference | undefined
    let left = toldAtOnce
    for (const key of this.#keys()) {
      const next = this.#difference(key, commit, output)
      if (next === undefined) {
        this.#forget(key)
        continue
      }
      if (held !== undefined) {
        this.#tell(held, output, false)
        // What is held back is still a key that may have changed: it comes again.
        if (output.isFull || --left === 0) return false
      }
      held = next
    }
    if (held !== undefined) this.#tell(held, output, true)
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
    const after = this.#document(key)
    const before = this.#told(key)
    if (after === null && before === null) return undefined
    const sameKey = after !== null && before !== null && after.shape === before.shape
    if (sameKey && after.json.equals(before.json)) return undefined
    const drafts: Draft[] = []
    if (before !== null && !sameKey) {
      const value = this.#envelope(before, null, { commit, processedAt })
      drafts.push(this.#draft(key, before, { value, commit }))
      drafts.push(this.#draft(key, before, { value: null, commit }))
    }
    if (after !== null) {
      const value = this.#envelope(sameKey ? before : null, after, { commit, processedAt })
      drafts.push(this.#draft(key, after, { value, commit }))
    }
    return { key, stored: after?.stored ?? null, drafts }
  }

  #envelope(
    before: Document | null,
    after: Document | null,
    { commit, processedAt }: { readonly commit: Emission; readonly processedAt: number },
  ): Buffer {
    return this.#encoder.encode({
      before: before?.json ?? null,
      after: after?.json ?? null,
      timestamp: commit.timestamp,
      processedAt,
      sequence: commit.cause,
    })
  }

  #draft(
    key: Key,
    { shape, schema }: Document,
    { value, commit }: { readonly value: Buffer | null; readonly commit: Emission },
  ): Draft {
    return {
      topic: this.topic,
      key: Buffer.from(this.#state.shape(shape).toJson(key)),
      value,
      timestamp: commit.timestamp,
      version: commit.version,
      cause: commit.cause,
      ...(schema === undefined ? undefined : { schema }),
    }
  }

  #tell({ key, stored, drafts }: Difference, output: Output, endsCommit: boolean): void {
    if (stored === null) this.#documents.delete(key)
    else this.#documents.put(key, stored)
    const last = drafts.length - 1
    for (let i = 0; i <= last; i++) output.add(drafts[i]!, endsCommit && i === last)
    this.#forget(key)
  }

  /** The document that the topic's readers know. */
  #told(key: Key): Document | null {
    const bytes = this.#documents.get(key)
    if (bytes === undefined) return null
    const stored = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return this.#documentIn(stored)
  }

  #document(key: Key): Document | null {
    if (this.#node.text !== undefined) {
      const row = this.#node.text(key)
      return row && this.#documentIn(this.#stored(row.text, row.schema))
    }
    const row = this.#node.get(key)
    return row && this.#documentIn(this.#stored(this.#rendered(key, row), undefined))
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

  #documentIn(stored: Buffer): Document {
    const shape = stored.readUInt16BE(0)
    const schema = this.#state.schema(stored.readUInt16BE(2))
    return { stored, shape, schema, json: stored.subarray(documentHeadBytes) }
  }

  #stored(text: string, schema: Schema | undefined): Buffer {
    const shape = this.#state.shapeId(this.#node.keys!)
    const out = this.#out
    out.begin()
    out.reserve(documentHeadBytes)
    out.bytes.writeUInt16BE(shape, out.at)
    out.bytes.writeUInt16BE(this.#state.schemaId(schema), out.at + 2)
    out.at += documentHeadBytes
    out.utf8(text)
    return out.take()
  }
}

/**
 * A document in the store: `<number of its key's columns: u16> <number of its schema: u16> <JSON>`.
 */
interface Document {
  readonly stored: Buffer
  readonly shape: number
  readonly json: Buffer
  readonly schema: Schema | undefined
}

/** Before the JSON of a stored document. */
export const documentHeadBytes = 4

/** So many documents are told in a row: some milliseconds. */
const toldAtOnce = 500

type Draft = Omit<NewRecord, 'ordinal' | 'endsCommit'>

/** A document that has changed: the records that tell of it, and what to remember as told. */
interface Difference {
  readonly key: Key
  readonly stored: Buffer | null
  readonly drafts: readonly Draft[]
}

const nothing = new Uint8Array(0)

import { crc32 } from 'node:zlib'
import type { Document } from '../../src/core/document.ts'
import type { Outcome, Refusal } from '../../src/core/sink.ts'
import { hashFields } from './hash-fields.ts'
import { stampKey } from './keys.ts'
import { type Kind, verdicts } from './scripts.ts'

/** How documents are written: the options, as the scripts want them. */
export interface Manner {
  readonly kind: Kind
  readonly owner: string
  /** 0: documents do not expire. */
  readonly ttlMs: number
  readonly deleteTtlMs: number
  readonly batchKeys: number
}

/** One call of a write script, with the documents that it writes. Their ids are Redis keys. */
export interface Call<D extends Document> {
  readonly documents: readonly D[]
  readonly keys: readonly string[]
  readonly args: readonly (string | Buffer)[]
}

export interface Calls<D extends Document> {
  readonly calls: readonly Call<D>[]
  /** Documents that cannot be stored in this manner. */
  readonly refused: readonly (readonly [D, Refusal])[]
}

/** A call with large documents is cut here, so that the server answers others in between. */
const callBytes = 1024 * 1024

/** Groups documents, each of another id, into calls. */
export function encodeCalls<D extends Document>(documents: readonly D[], manner: Manner): Calls<D> {
  const calls: Call<D>[] = []
  const refused: [D, Refusal][] = []
  let group = new Group<D>(manner)
  for (const document of documents) {
    const refusal = group.add(document)
    if (refusal !== undefined) refused.push([document, refusal])
    if (group.isFull) {
      calls.push(group.end())
      group = new Group<D>(manner)
    }
  }
  if (!group.isEmpty) calls.push(group.end())
  return { calls, refused }
}

class Group<D extends Document> {
  readonly #manner: Manner
  readonly #documents: D[] = []
  readonly #keys: string[] = []
  readonly #args: (string | Buffer)[]
  #bytes = 0

  constructor(manner: Manner) {
    const { ttlMs, deleteTtlMs } = manner
    this.#manner = manner
    // A stamp that expired before its document would let older states in.
    const keepMs = ttlMs === 0 ? 0 : ttlMs + deleteTtlMs
    this.#args = [String(ttlMs), String(keepMs), String(deleteTtlMs)]
  }

  add(document: D): Refusal | undefined {
    const { kind, owner } = this.#manner
    const body = document.body === null ? null : bufferOf(document.body)
    const fields = body !== null && kind === 'hash' ? hashFields(body) : []
    if (fields === undefined) return noFields
    this.#documents.push(document)
    this.#keys.push(document.id)
    this.#args.push(stampOf(document, owner))
    if (body === null) return undefined
    if (kind === 'string') this.#args.push(body)
    else {
      this.#args.push(String(fields.length))
      for (const field of fields) this.#args.push(field)
    }
    this.#bytes += body.length
    return undefined
  }

  get isEmpty(): boolean {
    return this.#documents.length === 0
  }

  get isFull(): boolean {
    return this.#documents.length >= this.#manner.batchKeys || this.#bytes >= callBytes
  }

  end(): Call<D> {
    const keys = this.#keys
    const count = keys.length
    for (let i = 0; i < count; i++) keys.push(stampKey(keys[i]!))
    return { documents: this.#documents, keys, args: this.#args }
  }
}

/** What is known of a document's state beside its content; scripts.ts has the format. */
export function stampOf({ version, ordinal, body, key }: Document, owner: string): string {
  const state = body === null ? 'd' : 'u'
  const digest = crc32(key).toString(36).padStart(7, '0')
  return `${String(version).padStart(20, '0')}${String(ordinal).padStart(10, '0')}${state}${digest}${owner}`
}

/** What became of each document of a call. */
export function decodeAnswer<D extends Document>(call: Call<D>, answer: unknown): Outcome[] {
  const { documents } = call
  if (typeof answer !== 'string' || answer.length !== documents.length) {
    throw new Error(`a write script answered ${JSON.stringify(answer)?.slice(0, 80)}`)
  }
  return documents.map(({ id }, i) => outcomeOf(answer[i]!, id))
}

function outcomeOf(verdict: string, key: string): Outcome {
  if (verdict === verdicts.applied) return 'applied'
  if (verdict === verdicts.stale) return 'stale'
  if (verdict === verdicts.otherType) return otherType(key)
  if (verdict === verdicts.otherStamp) return otherType(stampKey(key))
  throw new Error(`a write script answered "${verdict}"`)
}

function otherType(key: string): Refusal {
  const reason = `The key ${key} holds a value that is not ours. Remove it, or choose another template for \`key\`.`
  return { code: 'WRONGTYPE', reason }
}

const noFields: Refusal = {
  code: 'no_fields',
  reason: 'A hash needs an object with a column that is not null; store it `as: string`.',
}

function bufferOf(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

import { type Candidate, type Fold, foldDocuments, settle } from '../../../src/core/fold.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Outcome, Refusal } from '../../../src/core/sink.ts'
import { type Call, Calls } from '../calls.ts'
import { hashFields } from '../hash-fields.ts'
import { InFlight } from '../in-flight.ts'
import { type KeyTemplate, stampKey } from '../keys.ts'
import type { Word } from '../resp.ts'
import { stampOf } from '../stamp.ts'
import { lettersOf, outcomeOf } from './answer.ts'
import { documentScripts, type Kind } from './document-scripts.ts'
import type { Form, Session } from './form.ts'

/**
 * So many records are folded at a time. Folded all together, 10,000 of them keep the server waiting
 * for 17 ms, and their objects survive until they cost more to collect.
 */
const sliceRecords = 1_000

export interface DocumentOptions {
  readonly kind: Kind
  readonly keys: KeyTemplate
  /** 0: documents do not expire. */
  readonly ttlMs: number
  readonly deleteTtlMs: number
  readonly batchKeys: number
  readonly channel: string
}

/** A document under a key of its own, as text, hash or JSON. */
export class Documents implements Form {
  readonly keeps = true
  readonly layout: string
  readonly prefixes: readonly string[]
  readonly #options: DocumentOptions

  constructor(options: DocumentOptions) {
    this.#options = options
    this.layout = options.keys.template
    this.prefixes = [options.keys.prefix]
  }

  /**
   * Slice by slice, so that the server writes one while the next is read. Slices that are under way
   * together may hold the same document: the versions decide.
   */
  async write(records: readonly LogRecord[], session: Session): Promise<readonly Outcome[]> {
    const inFlight = new InFlight()
    const outcomes: Outcome[][] = []
    try {
      for (let at = 0; at < records.length; at += sliceRecords) {
        const fold = foldDocuments(records.slice(at, at + sliceRecords), this.#options.keys.keyOf)
        outcomes.push(fold.outcomes)
        for (const call of this.#encode(fold, fold.survivors, session)) {
          await inFlight.start(() => this.#send(fold, call, session))
        }
      }
    } finally {
      await inFlight.end()
    }
    return outcomes.flat()
  }

  /** In place of what is refused, what came before it is tried. */
  async #send(fold: Fold, { keys, args, items }: Call<Candidate>, session: Session): Promise<void> {
    const answer = await session.run(documentScripts[this.#options.kind], keys, args)
    const letters = lettersOf(answer, items.length)
    const older: Candidate[] = []
    for (let i = 0; i < items.length; i++) {
      const outcome = outcomeOf(letters[i]!, keys[i * 2]!, keys[i * 2 + 1]!)
      const next = settle(fold, items[i]!, outcome)
      if (next !== undefined) older.push(next)
    }
    for (const call of this.#encode(fold, older, session)) await this.#send(fold, call, session)
  }

  #encode(
    fold: Fold,
    candidates: readonly Candidate[],
    { writer, slotOf }: Session,
  ): readonly Call<Candidate>[] {
    const { ttlMs, deleteTtlMs, batchKeys, channel } = this.#options
    // A stamp that expired before its document would let older states in.
    const keepMs = ttlMs === 0 ? 0 : ttlMs + deleteTtlMs
    const head = [String(ttlMs), String(keepMs), String(deleteTtlMs), channel]
    const calls = new Calls<Candidate>({ head, batchKeys, slotOf })
    for (const newest of candidates) {
      const found = this.#storable(fold, newest)
      if (found === undefined) continue
      const { candidate, content } = found
      const { id, body } = candidate
      const call = calls.at(id)
      call.items.push(candidate)
      call.keys.push(id, stampKey(id))
      call.args.push(stampOf(candidate, body === null, writer), ...content)
      call.bytes += body?.length ?? 0
    }
    return calls.all
  }

  /** The newest state that can be stored, with its arguments; those after it are refused. */
  #storable(fold: Fold, newest: Candidate): Storable | undefined {
    let candidate: Candidate | undefined = newest
    while (candidate !== undefined) {
      const content = this.#content(candidate.body)
      if (content !== undefined) return { candidate, content }
      candidate = settle(fold, candidate, noFields)
    }
    return undefined
  }

  #content(bytes: Uint8Array | null): readonly Word[] | undefined {
    if (bytes === null) return []
    const body = bufferOf(bytes)
    if (this.#options.kind !== 'hash') return [body]
    const fields = hashFields(body)
    return fields && [String(fields.length), ...fields]
  }
}

interface Storable {
  readonly candidate: Candidate
  readonly content: readonly Word[]
}

const noFields: Refusal = {
  code: 'no_fields',
  reason: 'A hash needs an object with a column that is not null; store it `as: string`.',
}

export function bufferOf(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

import { type Candidate, type Fold, foldDocuments, settle } from '../../../src/core/fold.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Outcome, Refusal } from '../../../src/core/sink.ts'
import { type Call, Calls } from '../calls.ts'
import { hashFields } from '../hash-fields.ts'
import { type KeyTemplate, stampKey } from '../keys.ts'
import { stampOf } from '../stamp.ts'
import { lettersOf, outcomeOf } from './answer.ts'
import { documentScripts, type Kind } from './document-scripts.ts'
import { allOf, type Form, type Session } from './form.ts'

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

  async write(records: readonly LogRecord[], session: Session): Promise<readonly Outcome[]> {
    const fold = foldDocuments(records, this.#options.keys.keyOf)
    let candidates = fold.survivors
    while (candidates.length > 0) candidates = await this.#writeOnce(fold, candidates, session)
    return fold.outcomes
  }

  /** Returns what to try in place of what was refused. */
  async #writeOnce(
    fold: Fold,
    candidates: readonly Candidate[],
    session: Session,
  ): Promise<Candidate[]> {
    const next: (Candidate | undefined)[] = []
    const calls = this.#encode(candidates, session, (candidate, refusal) => {
      next.push(settle(fold, candidate, refusal))
    })
    const { kind } = this.#options
    const answers = await allOf(
      calls.map(({ keys, args }) => session.run(documentScripts[kind], keys, args)),
    )
    for (const [i, { items, keys }] of calls.entries()) {
      const letters = lettersOf(answers[i], items.length)
      for (let j = 0; j < items.length; j++) {
        const outcome = outcomeOf(letters[j]!, keys[j * 2]!, keys[j * 2 + 1]!)
        next.push(settle(fold, items[j]!, outcome))
      }
    }
    return next.filter((candidate) => candidate !== undefined)
  }

  #encode(
    candidates: readonly Candidate[],
    { writer, slotOf }: Session,
    refuse: (candidate: Candidate, refusal: Refusal) => void,
  ): readonly Call<Candidate>[] {
    const { kind, ttlMs, deleteTtlMs, batchKeys, channel } = this.#options
    // A stamp that expired before its document would let older states in.
    const keepMs = ttlMs === 0 ? 0 : ttlMs + deleteTtlMs
    const head = [String(ttlMs), String(keepMs), String(deleteTtlMs), channel]
    const calls = new Calls<Candidate>({ head, batchKeys, slotOf })
    for (const candidate of candidates) {
      const { id, body: bytes } = candidate
      const body = bytes === null ? null : bufferOf(bytes)
      const fields = body !== null && kind === 'hash' ? hashFields(body) : []
      if (fields === undefined) {
        refuse(candidate, noFields)
        continue
      }
      const call = calls.at(id)
      call.items.push(candidate)
      call.keys.push(id, stampKey(id))
      call.args.push(stampOf(candidate, body === null, writer))
      if (body === null) continue
      if (kind === 'hash') call.args.push(String(fields.length), ...fields)
      else call.args.push(body)
      call.bytes += body.length
    }
    return calls.all
  }
}

const noFields: Refusal = {
  code: 'no_fields',
  reason: 'A hash needs an object with a column that is not null; store it `as: string`.',
}

export function bufferOf(bytes: Uint8Array): Buffer {
  if (bytes instanceof Buffer) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

import { setTimeout as sleep } from 'node:timers/promises'
import { ByteWriter } from '../../src/core/byte-writer.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { type Candidate, type Fold, settle } from '../../src/core/fold.ts'
import { backoffMs } from '../../src/core/supervise.ts'
import {
  bulkFilter,
  encodeBulk,
  type ItemOutcome,
  readBulk,
  refuseOperation,
  sizeOf,
} from './bulk.ts'
import type { Answer, ElasticsearchClient } from './client.ts'
import { faultOf, readComplaint } from './faults.ts'
import type { ElasticsearchOptions } from './options.ts'

export type BulkLimits = Pick<ElasticsearchOptions, 'batchBytes' | 'batchDocuments' | 'inFlight'>

/** How often in a row a lane offers what the server is too busy for, before it gives up. */
const patience = 6

/** A lane of its own pays only above this many documents. */
const laneDocuments = 100

/**
 * Writes folded documents by bulk requests, several at a time. No id is in two requests at once: a
 * fold holds each id once, and whatever is sent again is sent by the lane that sent it first.
 */
export class BulkWriter {
  readonly #client: ElasticsearchClient
  readonly #path: string
  readonly #limits: BulkLimits
  readonly #closed = new AbortController()
  /**
   * One a lane: half a megabyte a request, allocated anew, has the garbage collector walk the whole
   * heap every few requests, which costs more than the encoding.
   */
  readonly #bodies: (ByteWriter | undefined)[] = []
  /** What the server was seen to take, between nothing and `#ceilingBytes`. */
  #limitBytes: number
  #ceilingBytes: number

  constructor(client: ElasticsearchClient, index: string, limits: BulkLimits) {
    this.#client = client
    this.#path = `/${encodeURIComponent(index)}/_bulk?${bulkFilter}`
    this.#limits = limits
    this.#limitBytes = limits.batchBytes
    this.#ceilingBytes = limits.batchBytes
  }

  /**
   * Settles every survivor of the fold. Throws if the server may take some of them later, but not
   * before all requests have ended: the next attempt must not meet one of these under way.
   */
  async write(fold: Fold): Promise<void> {
    const admitted = fold.survivors.flatMap((candidate) => admit(fold, candidate) ?? [])
    const lanes = Math.min(this.#limits.inFlight, Math.ceil(admitted.length / laneDocuments))
    const size = Math.ceil(admitted.length / lanes)
    const state = { failed: false }
    const results = await Promise.allSettled(
      Array.from({ length: lanes }, (_, lane) =>
        this.#lane({ lane, fold, queue: admitted.slice(lane * size, (lane + 1) * size) }, state),
      ),
    )
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Ends the waits of lanes; their requests end with the client's connections. */
  close(): void {
    this.#closed.abort()
  }

  async #lane({ lane, fold, queue }: Lane, state: { failed: boolean }): Promise<void> {
    let most = this.#limits.batchDocuments
    let busyRounds = 0
    try {
      for (let from = 0, to: number; from < queue.length && !state.failed; from = to) {
        to = this.#endOfRequest(queue, from, most)
        const chunk = queue.slice(from, to)
        const result = await this.#send(chunk, lane)
        if (result === 'too large') {
          most = Math.ceil(chunk.length / 2)
          to = from
          continue
        }
        most = Math.min(this.#limits.batchDocuments, most * 2)
        const busy = settleAll(fold, chunk, result.outcomes, queue)
        busyRounds = busy === 0 ? 0 : busyRounds + 1
        if (busy > 0) await this.#wait(busyRounds, busy, result)
      }
    } catch (error) {
      state.failed = true
      throw error
    }
  }

  async #wait(round: number, busy: number, { retryAfterMs, fault }: Sent): Promise<void> {
    if (round >= patience) {
      const what = `${busy} documents were not taken in ${patience} attempts.`
      throw fault ?? new MillraceError('TARGET_BUSY', what)
    }
    const delayMs = Math.max(retryAfterMs, backoffMs(round))
    await sleep(delayMs, undefined, { signal: this.#closed.signal }).catch((cause: unknown) => {
      throw new MillraceError('CONNECTION_LOST', 'The sink was closed.', { cause })
    })
  }

  /** At least one document, however large. */
  #endOfRequest(queue: readonly Candidate[], from: number, most: number): number {
    const last = Math.min(queue.length, from + most)
    let bytes = sizeOf(queue[from]!)
    let to = from + 1
    while (to < last && (bytes += sizeOf(queue[to]!)) <= this.#limitBytes) to++
    return to
  }

  async #send(chunk: readonly Candidate[], lane: number): Promise<Sent | 'too large'> {
    const writer = this.#bodies[lane] ?? new ByteWriter()
    this.#bodies[lane] = undefined
    const body = encodeBulk(chunk, writer)
    const answer = await this.#post(body)
    if (answer.status === 200) {
      // Only a success proves that the body has left: a refused one may still be on its way.
      this.#bodies[lane] = writer
      this.#limitBytes = Math.min(this.#ceilingBytes, Math.ceil(this.#limitBytes * 1.1))
      return { outcomes: readBulk(answer.body, chunk.length), retryAfterMs: 0 }
    }
    const code = unacceptable(answer)
    if (code !== undefined) {
      if (chunk.length > 1) {
        if (answer.status === 413) this.#shrink(body.length)
        return 'too large'
      }
      const reason = readComplaint(answer.body)?.reason.slice(0, 300)
      const fault = reason ?? `The server does not take a request of ${body.length} bytes.`
      return { outcomes: [{ code, reason: fault }], retryAfterMs: 0 }
    }
    const fault = faultOf(answer, 'The bulk request')
    if (fault.code !== 'TARGET_BUSY') throw fault
    return { outcomes: chunk.map(() => 'busy'), retryAfterMs: answer.retryAfterMs, fault }
  }

  async #post(body: Buffer): Promise<Answer> {
    try {
      return await this.#client.send({ method: 'POST', path: this.#path, body })
    } catch (error) {
      // Some servers cut a connection off instead of answering 413; less is tried the next time.
      if (isCutOff(error) && body.length > 65_536) this.#limitBytes = body.length / 2
      throw error
    }
  }

  #shrink(bytes: number): void {
    this.#ceilingBytes = Math.min(this.#ceilingBytes, bytes - 1)
    this.#limitBytes = Math.min(this.#limitBytes, bytes / 2)
  }
}

interface Lane {
  readonly lane: number
  readonly fold: Fold
  readonly queue: Candidate[]
}

interface Sent {
  readonly outcomes: readonly ItemOutcome[]
  readonly retryAfterMs: number
  /** Why nothing of the request was taken. */
  readonly fault?: MillraceError
}

/** The newest state of a candidate's id that may be sent at all. */
function admit(fold: Fold, candidate: Candidate): Candidate | undefined {
  let next: Candidate | undefined = candidate
  while (next !== undefined) {
    const refusal = refuseOperation(next)
    if (refusal === undefined) return next
    next = settle(fold, next, refusal)
  }
  return undefined
}

/** Queues again what the server was busy for, and the state before one that it refused. */
function settleAll(
  fold: Fold,
  chunk: readonly Candidate[],
  outcomes: readonly ItemOutcome[],
  queue: Candidate[],
): number {
  let busy = 0
  for (let i = 0; i < chunk.length; i++) {
    const outcome = outcomes[i]!
    if (outcome === 'busy') busy = queue.push(chunk[i]!) && busy + 1
    else {
      const older = settle(fold, chunk[i]!, outcome)
      const next = older && admit(fold, older)
      if (next !== undefined) queue.push(next)
    }
  }
  return busy
}

/**
 * Why a whole request was refused for the sake of what is in it: sent in halves, all but the
 * offending document get through.
 */
function unacceptable({ status, body }: Answer): string | undefined {
  if (status === 413) return 'request_too_large'
  const type = status === 400 ? readComplaint(body)?.type : undefined
  return type !== undefined && refusedContents.has(type) ? type : undefined
}

const refusedContents = new Set([
  'action_request_validation_exception',
  'illegal_argument_exception',
  'input_coercion_exception',
  'json_parse_exception',
  'parse_exception',
  'x_content_parse_exception',
])

function isCutOff(error: unknown): boolean {
  const cause = error instanceof MillraceError ? (error.cause as NodeJS.ErrnoException) : undefined
  return cause?.code === 'ECONNRESET' || cause?.code === 'EPIPE'
}

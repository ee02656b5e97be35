import { setTimeout as sleep } from 'node:timers/promises'
import { ByteWriter } from '../../src/core/byte-writer.ts'
import { Concurrency } from '../../src/core/concurrency.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { Outcome, Refusal } from '../../src/core/sink.ts'
import { backoffMs } from '../../src/core/supervise.ts'
import {
  bulkFilter,
  encodeBulk,
  type ItemOutcome,
  type Operation,
  readBulk,
  sizeOf,
} from './bulk.ts'
import type { Answer, ElasticsearchClient } from './client.ts'
import { faultOf, readComplaint } from './faults.ts'
import type { ElasticsearchOptions } from './options.ts'

export interface BulkLimits
  extends Pick<ElasticsearchOptions, 'batchBytes' | 'batchDocuments' | 'inFlight'> {
  /** Called before bytes leave, also when they leave again. What it throws keeps them here. */
  readonly before?: () => Promise<void>
}

/** How often in a row a writer offers what the server is too busy for, before it gives up. */
const patience = 6

/** A request of its own pays only above this many documents. */
const requestDocuments = 100

/** An operation that is settled with the target's word on it, or goes on with the next. */
export interface Write extends Operation {
  /** Notes what became of it; what it returns is to be written in its place. */
  settle(outcome: Outcome): Write | undefined
}

/**
 * Sends operations by bulk requests, as many at a time as the server takes well. No id is in two
 * requests at once: each comes once, and whatever is sent again has been answered before.
 */
export class BulkWriter {
  readonly #client: ElasticsearchClient
  readonly #path: string
  readonly #limits: BulkLimits
  readonly #concurrency: Concurrency
  readonly #closed = new AbortController()
  /**
   * Kept for the next requests: half a megabyte a request, allocated anew, has the garbage
   * collector walk the whole heap every few requests, which costs more than the encoding.
   */
  readonly #bodies: ByteWriter[] = []
  /** What the server was seen to take, between nothing and `#ceilingBytes`. */
  #limitBytes: number
  #ceilingBytes: number

  constructor(client: ElasticsearchClient, index: string, limits: BulkLimits) {
    this.#client = client
    this.#path = `/${encodeURIComponent(index)}/_bulk?${bulkFilter}`
    this.#limits = limits
    this.#concurrency = new Concurrency(limits.inFlight)
    this.#limitBytes = limits.batchBytes
    this.#ceilingBytes = limits.batchBytes
  }

  /**
   * Settles all of them. Throws if the server may take some of them later, but not before all
   * requests have ended: the next attempt must not meet one of these under way.
   */
  async write(writes: readonly Write[]): Promise<void> {
    const run: Run = { chunks: this.#cut(writes), busyRounds: 0, failure: undefined }
    while (run.chunks.length > 0 && run.failure === undefined) {
      const requests = new Set<Promise<void>>()
      do {
        while (requests.size < this.#concurrency.limit && run.chunks.length > 0) {
          const request: Promise<void> = this.#request(run, run.chunks.shift()!)
            .catch((error: unknown) => void (run.failure ??= { error }))
            .then(() => void requests.delete(request))
          requests.add(request)
        }
        await Promise.race(requests)
      } while (requests.size > 0 && run.failure === undefined)
      await Promise.all(requests)
    }
    if (run.failure !== undefined) throw run.failure.error
  }

  /** Ends waits; requests end with the client's connections. */
  close(): void {
    this.#closed.abort()
  }

  /** Into requests of even size, as many as shall be under way at once, or more. */
  #cut(writes: readonly Write[]): Write[][] {
    const lanes = Math.min(this.#concurrency.limit, Math.ceil(writes.length / requestDocuments))
    const rounds = Math.ceil(writes.length / (lanes * this.#limits.batchDocuments))
    const most = Math.ceil(writes.length / (lanes * rounds))
    const chunks: Write[][] = []
    for (let from = 0, to: number; from < writes.length; from = to) {
      to = this.#endOfRequest(writes, from, most)
      chunks.push(writes.slice(from, to))
    }
    return chunks
  }

  /** At least one document, however large. */
  #endOfRequest(writes: readonly Write[], from: number, most: number): number {
    const last = Math.min(writes.length, from + most)
    let bytes = sizeOf(writes[from]!)
    let to = from + 1
    while (to < last && (bytes += sizeOf(writes[to]!)) <= this.#limitBytes) to++
    return to
  }

  async #request(run: Run, chunk: readonly Write[]): Promise<void> {
    const result = await this.#send(chunk)
    if (result === 'too large') {
      const half = Math.ceil(chunk.length / 2)
      run.chunks.unshift(chunk.slice(0, half), chunk.slice(half))
      return
    }
    const { again, busy } = settleAll(chunk, result.outcomes)
    if (again.length > 0) run.chunks.push(again)
    if (busy < chunk.length) run.busyRounds = 0
    if (busy === 0) return
    this.#concurrency.refused()
    await this.#wait(++run.busyRounds, busy, result)
  }

  async #wait(round: number, busy: number, { retryAfterMs, fault }: Sent): Promise<void> {
    if (round >= patience) {
      const what = `${busy} documents were not taken in ${patience} attempts.`
      throw fault ?? new MillraceError('TARGET_BUSY', what)
    }
    const delayMs = Math.max(retryAfterMs, backoffMs(round, 100))
    await sleep(delayMs, undefined, { signal: this.#closed.signal }).catch((cause: unknown) => {
      throw new MillraceError('CONNECTION_LOST', 'The sink was closed.', { cause })
    })
  }

  async #send(chunk: readonly Write[]): Promise<Sent | 'too large'> {
    const writer = this.#bodies.pop() ?? new ByteWriter()
    const body = encodeBulk(chunk, writer)
    const start = performance.now()
    const answer = await this.#post(body)
    if (answer.status === 200) {
      // Only a success proves that the body has left: a refused one may still be on its way.
      this.#bodies.push(writer)
      this.#concurrency.answered(chunk.length, performance.now() - start)
      this.#limitBytes = Math.min(this.#ceilingBytes, Math.ceil(this.#limitBytes * 1.1))
      return { outcomes: readBulk(answer.body, chunk.length), retryAfterMs: 0 }
    }
    const code = unacceptable(answer)
    if (code !== undefined) {
      if (chunk.length > 1) {
        if (answer.status === 413) this.#shrink(body.length)
        return 'too large'
      }
      return { outcomes: [refusalOf(answer, code, body.length)], retryAfterMs: 0 }
    }
    const fault = faultOf(answer, 'The bulk request')
    if (fault.code !== 'TARGET_BUSY') throw fault
    return { outcomes: chunk.map(() => 'busy'), retryAfterMs: answer.retryAfterMs, fault }
  }

  async #post(body: Buffer): Promise<Answer> {
    const { before } = this.#limits
    try {
      return await this.#client.send({ method: 'POST', path: this.#path, body, before })
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

interface Run {
  /** What is not under way, a request each. */
  readonly chunks: Write[][]
  /** Answers in a row by which nothing was taken. */
  busyRounds: number
  failure: { readonly error: unknown } | undefined
}

interface Sent {
  readonly outcomes: readonly ItemOutcome[]
  readonly retryAfterMs: number
  /** Why nothing of the request was taken. */
  readonly fault?: MillraceError
}

/** What is to be sent again: what the server was busy for, and what stands in for the refused. */
function settleAll(chunk: readonly Write[], outcomes: readonly ItemOutcome[]) {
  const again: Write[] = []
  let busy = 0
  for (let i = 0; i < chunk.length; i++) {
    const outcome = outcomes[i]!
    const next = outcome === 'busy' ? chunk[i]! : chunk[i]!.settle(outcome)
    if (outcome === 'busy') busy++
    if (next !== undefined) again.push(next)
  }
  return { again, busy }
}

function refusalOf({ body }: Answer, code: string, bytes: number): Refusal {
  const reason = readComplaint(body)?.reason.slice(0, 300)
  return { code, reason: reason ?? `The server does not take a request of ${bytes} bytes.` }
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

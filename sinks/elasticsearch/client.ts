import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { MillraceError } from '../../src/core/errors.ts'
import { faultOf } from './faults.ts'
import type { AuthOptions, ElasticsearchOptions, TlsOptions } from './options.ts'
import { tlsOptions } from './tls.ts'

export interface Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** With the query, encoded. */
  readonly path: string
  /** An object is sent as JSON, bytes as NDJSON. */
  readonly body?: object | Uint8Array
  /** Called each time before bytes leave. What it throws keeps them here. */
  readonly before?: (() => Promise<void>) | undefined
}

export interface Answer {
  readonly status: number
  readonly body: Buffer
  /** What the server asked for with `Retry-After`; 0 if it did not. */
  readonly retryAfterMs: number
}

export interface Parsed<T> {
  readonly status: number
  readonly body: T
}

export type ClientOptions = Pick<
  ElasticsearchOptions,
  'url' | 'auth' | 'tls' | 'inFlight' | 'requestTimeoutMs'
> & { readonly gzip?: boolean | undefined }

/**
 * Speaks to the nodes of a cluster in turn, over connections that stay open. A node that cannot be
 * reached rests, and the request goes to the next: every request here may be sent twice.
 *
 * On node:http: a prepared body costs 1.0 µs of CPU a document, as it does with @elastic/transport,
 * whose connection on node:http loses a 413 that comes before the whole body was read.
 */
export class ElasticsearchClient {
  readonly #nodes: readonly Node[]
  #next = 0

  constructor(options: ClientOptions) {
    this.#nodes = [options.url].flat().map((url) => new Node(new URL(url), options))
  }

  /** Throws CONNECTION_LOST if no node answers; any status is an answer. */
  async send(request: Request): Promise<Answer> {
    const faults: Error[] = []
    for (const node of this.#order()) {
      try {
        return await node.send(request)
      } catch (error) {
        if (error instanceof MillraceError) throw error
        faults.push(error as Error)
        // It may still be at work on it: asking another node would only double the load.
        if (error instanceof NoAnswer) break
      }
    }
    const hosts = this.#nodes.map(({ host }) => host).join(', ')
    const last = faults.at(-1)!
    const why = last.message || (last as NodeJS.ErrnoException).code
    throw new MillraceError('CONNECTION_LOST', `No answer from ${hosts}: ${why}.`, { cause: last })
  }

  /** The parsed body of a success, or of a status in `accept`; any other throws what it means. */
  async call<T>(request: Request, accept: readonly number[] = []): Promise<Parsed<T>> {
    const answer = await this.send(request)
    const { status, body } = answer
    if ((status < 200 || status > 299) && !accept.includes(status)) {
      throw faultOf(answer, `${request.method} ${request.path}`)
    }
    try {
      return { status, body: JSON.parse(body.toString('utf8')) as T }
    } catch {
      throw faultOf({ ...answer, status: 502 }, `${request.method} ${request.path}`)
    }
  }

  /** Ends every connection; requests under way fail. */
  close(): void {
    for (const node of this.#nodes) node.close()
  }

  /** Round robin; nodes that rest come last. */
  #order(): readonly Node[] {
    const start = this.#next++ % this.#nodes.length
    const turn = [...this.#nodes.slice(start), ...this.#nodes.slice(0, start)]
    return turn.sort((a, b) => Number(a.rests) - Number(b.rests))
  }
}

class NoAnswer extends Error {}

/** How long a node that failed is asked only when no other is left. */
const restMs = 5_000

class Node {
  readonly host: string
  readonly #url: URL
  readonly #timeoutMs: number
  readonly #maxSockets: number
  readonly #tls: TlsOptions | undefined
  readonly #headers: Readonly<Record<string, string>>
  readonly #gzip: boolean
  #agent: Promise<http.Agent> | undefined
  #restsUntil = 0
  readonly #closed = new AbortController()

  constructor(url: URL, options: ClientOptions) {
    const { auth, tls, inFlight, requestTimeoutMs } = options
    this.host = url.host
    this.#url = url
    this.#timeoutMs = requestTimeoutMs
    this.#maxSockets = inFlight + 1
    this.#tls = tls
    const authorization = authorizationOf(auth, url)
    this.#gzip = options.gzip ?? !isThisMachine(url)
    this.#headers = {
      accept: 'application/json',
      ...(authorization && { authorization }),
      ...(this.#gzip && { 'accept-encoding': 'gzip' }),
    }
  }

  get rests(): boolean {
    return performance.now() < this.#restsUntil
  }

  async send(request: Request): Promise<Answer> {
    try {
      const answer = await this.#exchange(request).catch((error: unknown) => {
        // The server closed an idle connection in the moment in which it was used again.
        if (error instanceof StaleConnection) return this.#exchange(request)
        throw error
      })
      this.#restsUntil = 0
      return answer
    } catch (error) {
      this.#restsUntil = performance.now() + restMs
      throw error
    }
  }

  close(): void {
    this.#closed.abort()
    this.#agent?.then(
      (agent) => agent.destroy(),
      () => {},
    )
  }

  async #exchange({ method, path, body, before }: Request): Promise<Answer> {
    const isSecure = this.#url.protocol === 'https:'
    const agent = await this.#connections()
    const { bytes, headers } = await this.#content(body)
    await before?.()
    const base = this.#url.pathname.replace(/\/$/, '')
    const request = (isSecure ? https : http).request({
      hostname: this.#url.hostname.replace(/^\[|\]$/g, ''),
      port: this.#url.port || (isSecure ? 443 : 80),
      path: base + path,
      signal: this.#closed.signal,
      method,
      headers: { ...this.#headers, ...headers },
      agent,
    })
    const answer = answerTo(request, this.#timeoutMs)
    request.end(bytes)
    return answer
  }

  async #content(body: Request['body']): Promise<Content> {
    if (body === undefined) return { bytes: undefined, headers: {} }
    const isPrepared = body instanceof Uint8Array
    const plain = isPrepared ? body : Buffer.from(JSON.stringify(body))
    const isPacked = this.#gzip && plain.length > smallBytes
    const bytes = isPacked ? await pack(plain, { level: 1 }) : plain
    const headers = {
      'content-type': isPrepared ? 'application/x-ndjson' : 'application/json',
      'content-length': bytes.length,
      ...(isPacked && { 'content-encoding': 'gzip' }),
    }
    return { bytes, headers }
  }

  #connections(): Promise<http.Agent> {
    this.#agent ??= this.#connect().catch((error: unknown) => {
      this.#agent = undefined
      throw error
    })
    return this.#agent
  }

  async #connect(): Promise<http.Agent> {
    const options = { keepAlive: true, maxSockets: this.#maxSockets, scheduling: 'lifo' } as const
    if (this.#url.protocol !== 'https:') return new http.Agent(options)
    const trust = this.#tls === undefined ? {} : await tlsOptions(this.#tls, this.#url)
    return new https.Agent({ ...options, ...trust })
  }
}

interface Content {
  readonly bytes: Uint8Array | undefined
  readonly headers: http.OutgoingHttpHeaders
}

const pack = promisify(gzip)
const unpack = promisify(gunzip)

/** Below this a request fits into a packet or two anyway. */
const smallBytes = 2_048

/**
 * Over loopback, bytes are cheaper than packing them: 1.5 to 2 µs of CPU a document at level 1.
 */
function isThisMachine({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}

class StaleConnection extends Error {}

function answerTo(request: ClientRequest, timeoutMs: number): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const timer = setTimeout(() => {
    request.destroy(new NoAnswer(`none within ${timeoutMs / 1000} s`))
  }, timeoutMs)
  const chunks: Buffer[] = []
  let answered: IncomingMessage | undefined
  const finish = (response: IncomingMessage) => {
    clearTimeout(timer)
    const status = response.statusCode ?? 0
    const answer = { status, retryAfterMs: retryAfterMs(response) }
    const body = Buffer.concat(chunks)
    if (response.headers['content-encoding'] !== 'gzip') return resolve({ ...answer, body })
    unpack(body).then((body) => resolve({ ...answer, body }), reject)
  }
  const fail = (error: NodeJS.ErrnoException) => {
    // A server that takes no more of a body answers, then closes: its answer counts.
    if (answered !== undefined && answered.statusCode! >= 400) return finish(answered)
    clearTimeout(timer)
    const stale = request.reusedSocket && error.code === 'ECONNRESET' && answered === undefined
    reject(stale ? new StaleConnection(error.message, { cause: error }) : error)
  }
  request.on('error', fail)
  request.on('response', (response) => {
    answered = response
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('end', () => finish(response))
    response.on('error', fail)
  })
  return promise
}

/** Seconds only; a date is left to our own back-off. At most a minute: we look again then. */
function retryAfterMs({ headers }: IncomingMessage): number {
  const seconds = Number(headers['retry-after'] ?? 0)
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : 0
}

function authorizationOf(auth: AuthOptions | undefined, url: URL): string | undefined {
  const basic = (user: string, password: string) =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  if (auth === undefined) {
    if (url.username === '') return undefined
    return basic(decodeURIComponent(url.username), decodeURIComponent(url.password))
  }
  if ('apiKey' in auth) return `ApiKey ${auth.apiKey}`
  if ('bearer' in auth) return `Bearer ${auth.bearer}`
  return basic(auth.username, auth.password)
}

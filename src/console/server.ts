import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Json } from '../core/json.ts'
import type { Queryable } from '../core/queryable.ts'
import { stringifyRow } from '../core/row.ts'
import { getMany, getOne, Refused, readKey } from './answers.ts'

export interface ConsoleOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Asked of every request as `Authorization: Bearer …`, if it is set. */
  readonly token: string | undefined
}

/** What can be asked about. Another instance may answer for what it holds: hence promises. */
export interface Subject {
  status(): Promise<unknown>
  metrics(): Promise<string>
  /** Names of stores and views, by kind. */
  names(): Readonly<Record<'stores' | 'views', readonly string[]>>
  open(kind: 'stores' | 'views', name: string): Queryable | undefined
  /** An answer of the user's own routes. */
  route(path: string): { readonly value: Json } | undefined
  /** Resolves once all commits up to a version have been seen; false if `signal` aborts first. */
  reached(version: bigint, signal: AbortSignal): Promise<boolean>
}

export interface Serving {
  readonly url: string
  close(): Promise<void>
}

/** Answers GET requests in JSON until it is closed. */
export async function serveConsole(options: ConsoleOptions, subject: Subject): Promise<Serving> {
  const server = createServer((request, response) => {
    void answer(request, options, subject).then(
      (body) => send(response, 200, body),
      (error: Error) => sendError(response, error),
    )
  })
  server.listen(options.port, options.host)
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : options.port
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const waitMs = 10_000

async function answer(
  request: IncomingMessage,
  { token }: ConsoleOptions,
  subject: Subject,
): Promise<unknown> {
  if (request.method !== 'GET') throw new Refused(405, 'only_get', 'Only GET is answered.')
  if (token !== undefined && !isSame(request.headers.authorization, `Bearer ${token}`)) {
    throw new Refused(401, 'no_token', 'Send the token as `Authorization: Bearer …`.')
  }
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://here')
  const atLeast = searchParams.get('atLeast')
  if (atLeast !== null) await waitFor(readVersion(atLeast), subject)
  const [kind, name, ...rest] = pathname.split('/').slice(1).map(decodeURIComponent)
  if (kind === 'status') return subject.status()
  if (kind === 'metrics') return new Text(await subject.metrics())
  if (kind === 'stores' || kind === 'views') {
    if (name === undefined) return subject.names()[kind]
    const store = subject.open(kind, name)
    if (store !== undefined) {
      return rest.length === 0
        ? getMany(store, searchParams)
        : getOne(store, readKey(rest.join('/')), searchParams)
    }
  }
  const routed = subject.route(pathname)
  if (routed !== undefined) return routed.value
  throw new Refused(404, 'not_found', `There is nothing at ${pathname}.`)
}

async function waitFor(version: bigint, subject: Subject): Promise<void> {
  if (await subject.reached(version, AbortSignal.timeout(waitMs))) return
  const message = `The version was not reached within ${waitMs / 1000} s; ask again.`
  throw new Refused(503, 'not_yet', message)
}

/** An LSN as Postgres writes it, or digits. */
function readVersion(text: string): bigint {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) ?? []
  if (high !== undefined) return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
  if (/^\d{1,19}$/.test(text)) return BigInt(text)
  throw new Refused(400, 'not_a_version', 'atLeast must be an LSN like 0/1C6F8B0, or digits.')
}

class Text {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const isText = body instanceof Text
  const type = isText ? 'text/plain; version=0.0.4; charset=utf-8' : 'application/json'
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(isText ? body.text : `${stringifyRow(body)}\n`)
}

function sendError(response: ServerResponse, error: Error): void {
  const isRefused = error instanceof Refused
  const code = isRefused ? error.code : 'failed'
  send(response, isRefused ? error.status : 500, { error: { code, message: error.message } })
}

/** Takes the same time wherever the two differ. */
function isSame(given: string | undefined, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given ?? ''), digest(wanted))
}

import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Queryable } from '../core/queryable.ts'
import { stringifyRow } from '../core/row.ts'
import { Refused, readKey } from './answers.ts'
import type { Holder, Routed } from './holder.ts'
import { type Answer, type Asked, ageHeader, JsonText, partitionHeader } from './relay.ts'
import { answerMany, answerOne, answerRouted, notFound } from './spread.ts'

export interface ConsoleOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** Asked of every request as `Authorization: Bearer …`, if it is set. */
  readonly token: string | undefined
}

/** What can be asked about. Another instance may answer for what it has. */
export interface Subject {
  status(): Promise<unknown>
  metrics(): Promise<string>
  /** Names of stores and views, by kind. */
  names(): Readonly<Record<'stores' | 'views', readonly string[]>>
  holder(kind: 'stores' | 'views', name: string): Holder<Queryable> | undefined
  /** The user's own route for a path. */
  route(path: string): Routed | undefined
}

export interface Serving {
  readonly url: string
  close(): Promise<void>
}

/** Answers GET requests in JSON until it is closed. */
export async function serveConsole(options: ConsoleOptions, subject: Subject): Promise<Serving> {
  const server = createServer((request, response) => {
    void answer(request, options, subject).then(
      (answer) => send(response, answer),
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

async function answer(
  request: IncomingMessage,
  { token }: ConsoleOptions,
  subject: Subject,
): Promise<Answer> {
  if (request.method !== 'GET') throw new Refused(405, 'only_get', 'Only GET is answered.')
  const { authorization } = request.headers
  if (token !== undefined && !isSame(authorization, `Bearer ${token}`)) {
    throw new Refused(401, 'no_token', 'Send the token as `Authorization: Bearer …`.')
  }
  const { pathname, search, searchParams } = new URL(request.url ?? '/', 'http://here')
  const atLeast = searchParams.get('atLeast')
  const partition = request.headers[partitionHeader]
  const asked: Asked = {
    path: pathname + search,
    authorization,
    partition: partition === undefined ? undefined : Number(partition),
    atLeast: atLeast === null ? undefined : readVersion(atLeast),
  }
  const [kind, name, ...rest] = pathname.split('/').slice(1).map(decodeURIComponent)
  if (kind === 'status') return plain(await subject.status())
  if (kind === 'metrics') return plain(new Text(await subject.metrics()))
  if (kind === 'stores' || kind === 'views') {
    if (name === undefined) return plain(subject.names()[kind])
    const holder = subject.holder(kind, name)
    if (holder !== undefined) {
      return rest.length === 0
        ? answerMany(holder, searchParams, asked)
        : answerOne(holder, readKey(rest.join('/')), searchParams, asked)
    }
  }
  const routed = subject.route(pathname)
  if (routed !== undefined) return answerRouted(routed, asked)
  throw notFound(pathname)
}

function plain(value: unknown): Answer {
  return { value, status: 200, ageMs: undefined }
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

function send(response: ServerResponse, { value, status, ageMs }: Answer): void {
  const isText = value instanceof Text
  const type = isText ? 'text/plain; version=0.0.4; charset=utf-8' : 'application/json'
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(ageMs !== undefined && { [ageHeader]: String(Math.round(ageMs)) }),
  })
  const isWritten = isText || value instanceof JsonText
  response.end(isWritten ? value.text : `${stringifyRow(value)}\n`)
}

function sendError(response: ServerResponse, error: Error): void {
  const isRefused = error instanceof Refused
  const code = isRefused ? error.code : 'failed'
  const value = { error: { code, message: error.message } }
  send(response, { value, status: isRefused ? error.status : 500, ageMs: undefined })
}

/** Takes the same time wherever the two differ. */
function isSame(given: string | undefined, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given ?? ''), digest(wanted))
}

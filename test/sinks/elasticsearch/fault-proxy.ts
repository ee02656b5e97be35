import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { collect } from '../../support/collect.ts'

/** How the way to the server is disturbed. */
export type Disturbance =
  | 'none'
  /** The server has done it, but nobody hears of that. */
  | 'reset after apply'
  /** Every third document of a bulk never reaches the server, which is said to be too busy. */
  | '429 for some'
  | '429 for all'
  | '503'
  /** For bodies that are not small. */
  | '413'
  | 'html'
  /** Nobody answers at all. */
  | 'down'
  /** A bulk request waits here, and goes on when there is no disturbance any more. */
  | 'hold'
  /** The answer comes that many milliseconds later. */
  | { readonly slowMs: number }

export interface FaultProxy {
  readonly url: string
  disturb(how: Disturbance): void
  /** How often a request was disturbed. */
  readonly disturbed: number
}

interface Passed {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

/** Stands before a real server that cannot be made to fail so. */
export async function faultProxy(t: Test, target: string): Promise<FaultProxy> {
  let how: Disturbance = 'none'
  let disturbed = 0
  const sockets = new Set<Socket>()
  const server = createServer(async (incoming, outgoing) => {
    outgoing.on('error', () => {})
    const body = Buffer.concat(await collect<Buffer>(incoming).catch(() => []))
    if (how !== 'none') disturbed++
    while (how === 'hold' && incoming.url!.includes('/_bulk')) await sleep(20)
    await answer(how, { incoming, outgoing, body, target }).catch(() => outgoing.destroy())
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    if (how !== 'down') return
    disturbed++
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get disturbed() {
      return disturbed
    },
    disturb(next) {
      how = next
      if (next === 'down') for (const socket of sockets) socket.destroy()
    },
  }
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly body: Buffer
  readonly target: string
}

async function answer(how: Disturbance, exchange: Exchange): Promise<void> {
  const { incoming, outgoing, body } = exchange
  const isBulk = incoming.url!.includes('/_bulk')
  if (how === 'down') outgoing.destroy()
  else if (how === 'html') outgoing.writeHead(200).end('<html><h1>It works</h1></html>')
  else if (how === '503') outgoing.writeHead(503, { 'retry-after': '0.1' }).end('{}')
  else if (how === '429 for all') outgoing.writeHead(429).end('{}')
  else if (how === '413' && body.length > 1_000) outgoing.writeHead(413).end()
  else if (how === '429 for some' && isBulk) await withoutSome(exchange)
  else {
    const passed = await pass(exchange, body)
    if (typeof how === 'object') await sleep(how.slowMs)
    if (how === 'reset after apply') incoming.socket.resetAndDestroy()
    else outgoing.writeHead(passed.status, passed.headers).end(passed.body)
  }
}

async function withoutSome(exchange: Exchange): Promise<void> {
  const operations = operationsOf(exchange.body.toString())
  const taken = operations.filter((_, i) => i % 3 !== 0)
  const passed = await pass(exchange, Buffer.from(taken.join('')))
  const { items = [] } = (taken.length === 0 ? {} : JSON.parse(passed.body.toString())) as {
    items?: object[]
  }
  const rest = [...items]
  const error = { type: 'es_rejected_execution_exception', reason: 'rejected execution' }
  const all = operations.map((_, i) =>
    i % 3 === 0 ? { index: { status: 429, error } } : rest.shift(),
  )
  exchange.outgoing.writeHead(200).end(JSON.stringify({ errors: true, items: all }))
}

/** Each with its line feeds. */
function operationsOf(body: string): string[] {
  const lines = body.split('\n').slice(0, -1)
  const operations: string[] = []
  while (lines.length > 0) {
    const action = lines.shift()!
    operations.push(
      action.startsWith('{"delete"') ? `${action}\n` : `${action}\n${lines.shift()}\n`,
    )
  }
  return operations
}

function pass({ incoming, target }: Exchange, body: Buffer): Promise<Passed> {
  if (body.length === 0 && incoming.url!.includes('/_bulk')) {
    return Promise.resolve({ status: 200, headers: {}, body: Buffer.from('{"items":[]}') })
  }
  const { method, url, headers } = incoming
  const own = { ...headers, ...(body.length > 0 && { 'content-length': String(body.length) }) }
  return new Promise((resolve, reject) => {
    const passed = request(
      new URL(url!, target),
      { method: method!, headers: own },
      async (answer) => {
        try {
          const chunks = await collect<Buffer>(answer)
          const { 'transfer-encoding': _, ...rest } = answer.headers
          resolve({ status: answer.statusCode!, headers: rest, body: Buffer.concat(chunks) })
        } catch (error) {
          reject(error)
        }
      },
    )
    passed.on('error', reject)
    passed.end(body)
  })
}

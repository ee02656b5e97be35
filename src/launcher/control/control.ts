/*
 * How other commands reach a running pipeline: a Unix socket in its data directory, which only its
 * own user may open. The one who connects sends one line of JSON, a question; the answer is lines
 * of JSON. Whoever has enough closes the connection.
 *
 *   {"ask":"status"}                                   → one line: the status
 *   {"ask":"tap","topic":"shop.orders","from":"end"}   → a line for each record, as it comes
 *   {"ask":"sink","sink":"search","do":"pause"}        → a line for each part: what was done
 *   {"ask":"letters","do":"replay","ids":["3f2a…"]}    → a line for each letter: what became of it
 *   {"ask":"mend","part":"search","items":[…]}         → a line for each item: what became of it
 *   {"ask":"reindex","part":"search","do":"swap"}      → one line: what was done, or how far it is
 *   {"ask":"snapshot","connector":"db","do":"execute","tables":["public.orders"]}
 *                                                      → one line: what the connector says to it
 *   {"ask":"connector","connector":"db","do":"pause"}   → one line: what was done
 *
 * A question that cannot be answered is answered by {"error":"…"}.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, existsSync, realpathSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { CommandFailure } from '../exit.ts'

const item = z.union([
  z.strictObject({ partition: z.int(), sequence: z.string(), offset: z.string() }),
  z.strictObject({ key: z.string(), version: z.string() }),
])

/** A record of the sink's topic to be written again, or a key (in base64) to be deleted. */
export type Item = z.infer<typeof item>

export const question = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('status') }),
  z.strictObject({ ask: z.literal('tap'), topic: z.string(), from: z.enum(['beginning', 'end']) }),
  z.strictObject({
    ask: z.literal('snapshot'),
    connector: z.string(),
    do: z.enum(['execute', 'stop', 'pause', 'resume', 'status']),
    tables: z.array(z.string()),
    where: z.string().optional(),
  }),
  z.strictObject({
    ask: z.literal('connector'),
    connector: z.string(),
    do: z.enum(['pause', 'resume', 'restart']),
  }),
  z.strictObject({
    ask: z.literal('sink'),
    sink: z.string(),
    do: z.enum(['pause', 'resume', 'refill', 'rewind']),
    /** Where to rewind to; to the beginning if it is missing. */
    to: z
      .union([
        z.enum(['beginning', 'end']),
        z.strictObject({ time: z.number() }),
        z.strictObject({ sequence: z.int() }),
        z.strictObject({ offset: z.int(), partition: z.int().optional() }),
      ])
      .optional(),
  }),
  z.strictObject({
    ask: z.literal('letters'),
    do: z.enum(['replay', 'skip']),
    ids: z.array(z.string()),
  }),
  z.strictObject({
    ask: z.literal('reindex'),
    part: z.string(),
    do: z.enum(['start', 'status', 'swap', 'rollback', 'cancel', 'finish']),
  }),
  z.strictObject({ ask: z.literal('mend'), part: z.string(), items: z.array(item) }),
])

export type Question = z.infer<typeof question>

/** Answers in values that are sent as lines of JSON; ends early once `signal` aborts. */
export type Answer = (question: Question, signal: AbortSignal) => AsyncIterable<unknown>

/** The address of a socket has room for little more than a hundred bytes. */
const longestAddress = 100
const longestQuestion = 64 * 1024

/** Where the process that runs on a data directory listens. */
export function controlAddress(directory: string): string {
  const real = existsSync(directory) ? realpathSync(directory) : directory
  const beside = join(real, 'control.sock')
  if (Buffer.byteLength(beside) <= longestAddress) return beside
  const digest = createHash('sha256').update(real).digest('hex').slice(0, 24)
  return join(tmpdir(), `millrace-${digest}.sock`)
}

/** Listens until closed. The caller holds the directory: what lies there is left from a crash. */
export async function serveControl(
  directory: string,
  answer: Answer,
): Promise<() => Promise<void>> {
  const address = controlAddress(directory)
  rmSync(address, { force: true })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    void serve(socket, answer)
  })
  await listenPrivately(server, address)
  return async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
}

/** The answers of the process that runs on a directory. Undefined if none does. */
export async function askControl(
  directory: string,
  question: Question,
  signal?: AbortSignal,
): Promise<AsyncIterable<unknown> | undefined> {
  const socket = createConnection(controlAddress(directory))
  try {
    await once(socket, 'connect')
  } catch {
    return undefined
  }
  signal?.addEventListener('abort', () => socket.destroy(), { once: true })
  socket.on('error', () => {}) // To lose the connection is to come to the end of the answers.
  socket.write(`${JSON.stringify(question)}\n`)
  return answers(socket)
}

async function* answers(socket: Socket): AsyncGenerator<unknown> {
  try {
    for await (const line of createInterface({ input: socket, crlfDelay: Infinity })) {
      const answer = JSON.parse(line) as { error?: string }
      if (typeof answer.error === 'string') throw new CommandFailure(answer.error)
      yield answer
    }
  } finally {
    socket.destroy()
  }
}

/** The socket is never open to others, not even for a moment. */
async function listenPrivately(server: Server, address: string): Promise<void> {
  const mask = process.umask(0o177)
  try {
    server.listen(address)
  } finally {
    process.umask(mask)
  }
  await once(server, 'listening')
  chmodSync(address, 0o600)
}

async function serve(socket: Socket, answer: Answer): Promise<void> {
  const gone = new AbortController()
  socket.on('close', () => gone.abort())
  socket.on('error', () => {}) // Followed by 'close'.
  try {
    const asked = await readQuestion(socket)
    if (asked === undefined) return
    for await (const value of answer(asked, gone.signal)) {
      if (gone.signal.aborted) return
      if (!socket.write(`${JSON.stringify(value)}\n`)) await drained(socket, gone.signal)
    }
    socket.end()
  } catch (error) {
    socket.end(`${JSON.stringify({ error: (error as Error).message })}\n`)
  }
}

async function readQuestion(socket: Socket): Promise<Question | undefined> {
  let text = ''
  socket.setEncoding('utf8')
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += chunk
    const end = text.indexOf('\n')
    if (end >= 0) return question.parse(JSON.parse(text.slice(0, end)))
    if (text.length > longestQuestion) throw new Error('the question is too long')
  }
  return undefined
}

async function drained(socket: Socket, signal: AbortSignal): Promise<void> {
  await once(socket, 'drain', { signal }).catch(() => {})
}

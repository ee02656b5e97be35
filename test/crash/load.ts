import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type QueryResult } from 'pg'
import { assertOrdinary } from './ordinary.ts'

const secondMs = 1_000

/** What the rate is kept below, so that sinks on a small machine come to an end after it. */
const mostPerSecond = 1_000

/** Somebody who writes to a database, a change at a time. */
export interface Writer {
  readonly url: string
  readonly open: (client: Client, seed: number) => { change(): Promise<void> }
}

/**
 * Applications that write, each on a connection of its own; counts the rows that they change (those
 * that the server deletes in cascade come on top).
 */
export class Load {
  readonly #writers: readonly Writer[]
  readonly #seed: number
  readonly #changes: { readonly at: number; readonly rows: number }[] = []
  #stop = new AbortController()
  #running: Promise<void> | undefined
  #started = 0

  constructor(writers: readonly Writer[], seed: number) {
    this.#writers = writers
    this.#seed = seed
  }

  start(): void {
    this.#stop = new AbortController()
    const { signal } = this.#stop
    const all = this.#writers.map((writer) => this.#write(writer, this.#started++, signal))
    this.#running = Promise.all(all).then(() => {})
    this.#running.catch(() => {}) // Thrown by `stop`.
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#running = undefined
  }

  /** Rows changed in the last second. */
  get rowsPerSecond(): number {
    const from = performance.now() - secondMs
    while ((this.#changes[0]?.at ?? from) < from) this.#changes.shift()
    return this.#changes.reduce((sum, { rows }) => sum + rows, 0)
  }

  async #write({ url, open }: Writer, nth: number, signal: AbortSignal): Promise<void> {
    const client = await this.#connect(url)
    const writer = open(client, this.#seed * 1_000 + nth)
    try {
      while (!signal.aborted) {
        await writer.change().catch((error) => assertOrdinary(error))
        while (this.rowsPerSecond > mostPerSecond && !signal.aborted) await sleep(20)
      }
    } finally {
      await client.end()
    }
  }

  /** A connection that counts the rows that its statements change. */
  async #connect(url: string): Promise<Client> {
    const client = new Client(url)
    client.on('error', () => {}) // What is asked next reports it.
    await client.connect()
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<QueryResult>
    client.query = (async (...args: unknown[]) => {
      const result = await query(...args)
      this.#count(result)
      return result
    }) as unknown as typeof client.query
    return client
  }

  #count({ command, rowCount }: QueryResult): void {
    if (!['INSERT', 'UPDATE', 'DELETE'].includes(command) || !rowCount) return
    this.#changes.push({ at: performance.now(), rows: rowCount })
  }
}

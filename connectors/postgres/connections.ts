import type { Client } from 'pg'
import type { ResolvedOptions } from './options.ts'
import { connect, translate } from './session.ts'
import { socketOf } from './wal/message-stream.ts'

/** Codes of Node for calls that were wrong, rather than for a network that is. */
const ownFault = /^ERR_(?!TLS_)/

/** The connections of one reading: for replication, and for questions beside it. */
export class Connections {
  readonly #options: ResolvedOptions
  readonly #clients = new Set<Client>()
  #replication: Promise<Client> | undefined
  #sql: Promise<Client> | undefined
  #lost: Error | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  replication(): Promise<Client> {
    this.#replication ??= this.open(true)
    return this.#replication
  }

  /** Made again after it was lost: a question can be asked on any connection. */
  sql(): Promise<Client> {
    const forget = () => (this.#sql = undefined)
    this.#sql ??= this.open().then(
      (client) => client.on('error', forget).on('end', forget),
      (error) => {
        forget()
        throw error
      },
    )
    return this.#sql
  }

  async open(replication = false): Promise<Client> {
    const client = await connect(this.#options.url, replication)
    this.#clients.add(client)
    client.on('error', (error) => (this.#lost = error))
    client.on('end', () => this.#clients.delete(client))
    return client
  }

  /** What `pg` throws on a connection that is gone has no code. */
  explain(error: unknown): unknown {
    const { code = '' } = error as { code?: string }
    const isBug = !(error instanceof Error) || (code === '' ? !this.#lost : ownFault.test(code))
    return isBug ? error : translate(error, this.#options.url)
  }

  /** Ends everything at once, also questions that the server has not answered. */
  cut(): void {
    for (const client of this.#clients) socketOf(client).destroy()
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#replication, this.#sql])
    for (const client of this.#clients) client.end().catch(() => {})
  }
}

import type { Client } from 'pg'
import { translate } from '../session.ts'
import { MessageStream, readErrorFields, socketOf } from '../wal/message-stream.ts'

const dataRow = 0x44
const errorResponse = 0x45
const readyForQuery = 0x5a

/** One statement; parameters are sent beside it, never in it. */
export interface Statement {
  readonly sql: string
  readonly values?: readonly string[]
}

/**
 * A connection that reads rows as bytes: `bytes` from `start` on is the payload of a DataRow. One
 * statement at a time. Every value comes as the server's text.
 */
export class ChunkConnection {
  readonly #client: Client
  readonly #messages: MessageStream
  readonly #url: string

  constructor(client: Client, url: string) {
    this.#client = client
    this.#messages = new MessageStream(client)
    this.#url = url
  }

  /**
   * Runs a statement. Where `onRow` asks to wait, the server waits, too. Ends early once `signal`
   * aborts; the connection is of no more use then.
   */
  async read(
    { sql, values = [] }: Statement,
    onRow: (bytes: Buffer, start: number) => Promise<void> | void,
    signal: AbortSignal,
  ): Promise<void> {
    const messages = this.#messages
    this.#send(extendedQuery(sql, values))
    let failure: Error | undefined
    for (;;) {
      if (!messages.next()) {
        if (signal.aborted) return
        await messages.more(1_000, signal)
        continue
      }
      const { type, bytes, start, end } = messages
      if (type === dataRow && failure === undefined) {
        const wait = onRow(bytes, start)
        if (wait === undefined) continue
        await wait
        if (signal.aborted) return
      } else if (type === errorResponse) {
        failure = translate(readErrorFields(bytes, start, end), this.#url)
      } else if (type === readyForQuery) break
    }
    if (failure !== undefined) throw failure
  }

  /** All rows of a statement with a small result. */
  async rows(statement: Statement, signal: AbortSignal): Promise<(string | null)[][]> {
    const rows: (string | null)[][] = []
    await this.read(
      statement,
      (bytes, start) => {
        rows.push(readTexts(bytes, start))
      },
      signal,
    )
    return rows
  }

  /** Says goodbye, where the server listens. */
  close(): void {
    this.#messages.close()
  }

  /** Ends at once; the server may be in the middle of a table. */
  destroy(): void {
    socketOf(this.#client).destroy()
  }

  #send(message: Buffer): void {
    const socket = socketOf(this.#client)
    if (!socket.destroyed) socket.write(message)
  }
}

/** The values of a DataRow from column `from` on. */
export function readTexts(bytes: Buffer, start: number, from = 0): (string | null)[] {
  const count = bytes.readUInt16BE(start)
  const texts: (string | null)[] = []
  let at = start + 2
  for (let i = 0; i < count; i++) {
    const length = bytes.readInt32BE(at)
    at += 4
    if (i >= from) texts.push(length < 0 ? null : bytes.toString('utf8', at, at + length))
    if (length > 0) at += length
  }
  return texts
}

// Parse:   'P' name:string sql:string types:u16(0)
// Bind:    'B' portal:string name:string formats:u16(0) count:u16 value* formats:u16(0)
// Execute: 'E' portal:string rows:u32(0: all)
// Sync:    'S'
function extendedQuery(sql: string, values: readonly string[]): Buffer {
  const parse = message('P', [Buffer.from(`\0${sql}\0`), u16(0)])
  const parameters = values.flatMap((value) => {
    const text = Buffer.from(value)
    return [u32(text.length), text]
  })
  const bind = message('B', [
    ...[Buffer.from('\0\0'), u16(0), u16(values.length)],
    ...[...parameters, u16(0)],
  ])
  const execute = message('E', [Buffer.from('\0'), u32(0)])
  return Buffer.concat([parse, bind, execute, message('S', [])])
}

function message(type: string, parts: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(type), u32(4 + payload.length), payload])
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

import type { Socket } from 'node:net'
import type { Client } from 'pg'
import { MillraceError } from '../../../src/core/errors.ts'

/** While so much waits to be read, the socket is paused and the server waits. */
const highWaterBytes = 2 * 1024 * 1024

/**
 * The backend's messages on a connection that `pg` has opened, as bytes: `pg` would make an object
 * of every row. `next` moves to the next whole message, `more` waits for bytes.
 *
 *   message: type:u8 length:u32 (itself included) payload
 */
export class MessageStream {
  /** Holds the current message: its payload is `bytes[start, end)`. */
  bytes: Buffer = Buffer.alloc(0)
  type = 0
  start = 0
  end = 0
  readonly #socket: Socket
  readonly #queue: Buffer[] = []
  #queued = 0
  /** A chunk came since `more` returned. */
  #arrived = false
  /** The current message is larger than what has arrived: reading must go on. */
  #short = false
  #failure: Error | undefined
  #wake: (() => void) | undefined

  constructor(client: Client) {
    this.#socket = socketOf(client)
    this.#socket.removeAllListeners('data')
    this.#socket.on('data', (chunk: Buffer) => this.#push(chunk))
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  /** Sends a simple query. */
  query(sql: string): void {
    const text = Buffer.from(`${sql}\0`)
    const message = Buffer.alloc(5 + text.length)
    message.write('Q', 0)
    message.writeUInt32BE(4 + text.length, 1)
    text.copy(message, 5)
    this.#socket.write(message)
  }

  /** Sends CopyData. */
  copyData(payload: Buffer): void {
    const header = Buffer.alloc(5)
    header.write('d', 0)
    header.writeUInt32BE(4 + payload.length, 1)
    if (!this.#socket.destroyed) this.#socket.write(Buffer.concat([header, payload]))
  }

  /** Moves to the next whole message that has arrived. */
  next(): boolean {
    const { bytes } = this
    const at = this.end
    if (at + 5 > bytes.length) return this.#refill()
    const end = at + 1 + bytes.readUInt32BE(at + 1)
    if (end > bytes.length) return this.#refill()
    this.type = bytes[at]!
    this.start = at + 5
    this.end = end
    return true
  }

  /**
   * Waits until bytes have arrived, at most `waitMs`, and tells whether they have. Throws once the
   * connection is lost.
   */
  async more(waitMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#arrived || signal.aborted) return this.#takeArrived()
    if (this.#failure !== undefined) {
      const message = `The connection to Postgres was lost: ${this.#failure.message}.`
      throw new MillraceError('CONNECTION_LOST', message, { cause: this.#failure })
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      signal.addEventListener('abort', this.#wake, { once: true })
    })
    if (this.#wake) signal.removeEventListener('abort', this.#wake)
    this.#wake = undefined
    return this.#takeArrived()
  }

  /** Says goodbye, so that the server frees what it holds for us at once. */
  close(): void {
    if (this.#socket.destroyed) return
    this.#socket.removeAllListeners('data')
    this.#socket.resume()
    this.#socket.end(Buffer.from([0x58, 0, 0, 0, 4]))
  }

  /** Joins what is left of the current bytes with all that has arrived meanwhile. */
  #refill(): boolean {
    if (this.#queue.length === 0) return false
    const rest = this.bytes.subarray(this.end)
    // A row of many chunks is joined once, when all of it is there.
    if (rest.length >= 5 && rest.length + this.#queued <= rest.readUInt32BE(1)) return this.#wait()
    this.bytes =
      rest.length === 0 && this.#queue.length === 1
        ? this.#queue[0]!
        : Buffer.concat([rest, ...this.#queue])
    this.end = 0
    this.#queue.length = 0
    this.#queued = 0
    this.#short = false
    if (this.#socket.isPaused()) this.#socket.resume()
    return this.next()
  }

  #takeArrived(): boolean {
    const arrived = this.#arrived
    this.#arrived = false
    return arrived
  }

  #wait(): false {
    this.#short = true
    if (this.#socket.isPaused()) this.#socket.resume()
    return false
  }

  #push(chunk: Buffer): void {
    this.#queue.push(chunk)
    this.#queued += chunk.length
    if (this.#queued > highWaterBytes && !this.#short) this.#socket.pause()
    this.#arrived = true
    this.#wake?.()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake?.()
  }
}

/** `pg` keeps the socket to itself; it is what we need of the library after it has connected. */
export function socketOf(client: Client): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream
}

/** Fields of an ErrorResponse: a letter and a zero-terminated text each. */
export function readErrorFields(bytes: Buffer, start: number, end: number) {
  const fields: Record<string, string> = {}
  let at = start
  while (at < end && bytes[at] !== 0) {
    const letter = String.fromCharCode(bytes[at]!)
    const stop = bytes.indexOf(0, at + 1)
    fields[letter] = bytes.toString('utf8', at + 1, stop)
    at = stop + 1
  }
  return { code: fields.C ?? '', message: fields.M ?? '', detail: fields.D ?? '' }
}

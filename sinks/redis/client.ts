import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { Redis, type RedisOptions as Settings } from 'ioredis'
import { ByteWriter } from '../../src/core/byte-writer.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { maskUrl } from '../../src/core/secret.ts'
import { faultOf, isNoScript } from './faults.ts'
import type { RedisOptions } from './options.ts'
import { EncodedCommand, encodeWords, type Word } from './resp.ts'
import type { Script } from './scripts.ts'

/** Replies are plain in RESP 2. */
type ClientOptions = Omit<Settings, 'replyMapping'>

/**
 * One connection, opened by `connect` alone: what was lost stays lost, so that no command reaches
 * another server than the one whose identity was checked. Every error has been classified.
 */
export class RedisClient {
  readonly #options: RedisOptions
  readonly #name: string
  readonly #server: string
  readonly #address: string
  /** Kept for the next commands: memory beside the heap, made anew, drives garbage collection. */
  readonly #writers: ByteWriter[] = []
  #redis: Redis | undefined

  /**
   * `name` is shown by CLIENT LIST; `address` is that of another server than the URL's, which has
   * the same users.
   */
  constructor(options: RedisOptions, name: string, address = '') {
    this.#options = options
    this.#name = name.replaceAll(/[^!-~]/g, '_')
    this.#server = address === '' ? maskUrl(options.url) : address
    this.#address = address
  }

  /** The host that the URL names. */
  get host(): string {
    return new URL(this.#options.url).hostname
  }

  /** Opens a connection, in place of the one before. */
  async connect(): Promise<void> {
    await this.close()
    const redis = new Redis(this.#url(), this.#settings())
    let fault: Error | undefined
    redis.on('error', (error: Error) => {
      fault = error // `connect` only says that the connection was closed.
    })
    this.#redis = redis
    const closed = await redis.connect().catch((error: Error) => error)
    // A SELECT that failed is an event, too, and the client would go on in database 0.
    const error = fault ?? closed
    if (error === undefined) return
    redis.disconnect()
    throw faultOf(error, this.#server)
  }

  /** The answer to a command. `asking`: to be taken although the slot is still moving there. */
  async command(name: string, args: readonly Word[] = [], asking = false): Promise<unknown> {
    try {
      return await this.#send([name, ...args], asking)
    } catch (error) {
      throw this.#classify(error)
    }
  }

  /** Runs a script by its digest, and sends its text once the server does not know it. */
  async run(
    script: Script,
    [keys, args]: readonly [keys: readonly string[], args: readonly Word[]],
    asking = false,
  ): Promise<unknown> {
    const call = (name: string, id: string) =>
      this.#send([name, id, String(keys.length), ...keys, ...args], asking)
    try {
      return await call('EVALSHA', script.sha)
    } catch (error) {
      if (!isNoScript(error)) throw this.#classify(error)
    }
    try {
      return await call('EVAL', script.lua)
    } catch (error) {
      throw this.#classify(error)
    }
  }

  async close(): Promise<void> {
    const redis = this.#redis
    this.#redis = undefined
    if (redis === undefined || redis.status === 'end') return
    const ended = new Promise((resolve) => redis.once('end', resolve))
    redis.disconnect()
    await ended
  }

  async #send(words: readonly [name: string, ...Word[]], asking: boolean): Promise<unknown> {
    const redis = this.#redis
    if (redis?.status === 'ready') {
      if (asking) redis.asking().catch(() => {}) // The command itself tells of the same fault.
      const writer = this.#writers.pop() ?? new ByteWriter()
      writer.rewind()
      const bytes = encodeWords(writer, words)
      const answer = await redis.sendCommand(new EncodedCommand(bytes, words[0]))
      this.#writers.push(writer) // An answer proves that the bytes have left.
      return answer
    }
    throw new MillraceError('CONNECTION_LOST', `Redis at ${this.#server}: the connection is lost.`)
  }

  /** After a lost or unanswered command nobody knows what the server did: the connection ends. */
  #classify(error: unknown): unknown {
    const fault = faultOf(error, this.#server)
    if (fault instanceof MillraceError && fault.code === 'CONNECTION_LOST')
      this.#redis?.disconnect()
    return fault
  }

  /** The nodes of a cluster have its users, and one database. */
  #url(): string {
    if (this.#address === '') return this.#options.url
    const url = new URL(this.#options.url)
    const at = this.#address.lastIndexOf(':')
    url.hostname = this.#address.slice(0, at)
    url.port = this.#address.slice(at + 1)
    url.pathname = ''
    return url.href
  }

  /** With sentinels the URL's host is the name by which they know the primary. */
  #sentinels(): ClientOptions {
    const { sentinels, sentinelPassword, url } = this.#options
    if (sentinels === undefined) return {}
    return {
      sentinels: sentinels.map((address) => {
        const at = address.lastIndexOf(':')
        return { host: address.slice(0, at), port: Number(address.slice(at + 1)) }
      }),
      name: decodeURIComponent(new URL(url).hostname),
      role: 'master',
      sentinelRetryStrategy: null as never,
      ...(sentinelPassword !== undefined && { sentinelPassword }),
    }
  }

  #settings(): ClientOptions {
    const { timeoutMs } = this.#options
    const tls = this.#tls()
    return {
      ...manners,
      ...this.#sentinels(),
      commandTimeout: timeoutMs,
      connectTimeout: Math.min(timeoutMs, 10_000),
      connectionName: this.#name,
      ...(tls && { tls }),
    }
  }

  #tls(): ConnectionOptions | undefined {
    const { tls, url } = this.#options
    if (tls === undefined) return url.startsWith('rediss:') ? {} : undefined
    const { ca, cert, key, insecure } = tls
    const options: ConnectionOptions = { rejectUnauthorized: !insecure }
    if (ca !== undefined) options.ca = read(ca, 'ca')
    if (cert !== undefined) options.cert = read(cert, 'cert')
    if (key !== undefined) options.key = read(key, 'key')
    return options
  }
}

/** Nothing is buffered or sent again behind our back: whoever supervises the pump does that. */
const manners: ClientOptions = {
  lazyConnect: true,
  protocol: 2,
  retryStrategy: null,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  enableReadyCheck: false, // A server that loads says LOADING, which is not waited for here.
  disableClientInfo: true,
}

function read(file: string, option: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new MillraceError('CONFIG_INVALID', `The file tls.${option} cannot be read: ${file}.`, {
      cause,
    })
  }
}

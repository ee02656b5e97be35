import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { companionKey, leaseHead, stampHead } from '../core/companion-key.ts'
import { fillScript, lookupScript } from './scripts.ts'

/** What the cache needs of a connection: an ioredis `Redis` or `Cluster` has it. */
export interface Connection {
  eval(script: string, keys: number, ...words: (string | Buffer)[]): Promise<unknown>
  evalsha(sha: string, keys: number, ...words: (string | Buffer)[]): Promise<unknown>
}

/** The right to fill one key, given to one reader at a time; an invalidation takes it away. */
export interface Lease {
  readonly key: string
  readonly token: string
}

/**
 * What `get` finds:
 * - `hit`: the value;
 * - `miss`: nothing, and the caller is the one who may fill the key;
 * - `wait`: nothing; another reader fills the key;
 * - `closed`: nothing; the key was just invalidated, so nobody may fill it for a moment.
 */
export type Lookup =
  | { readonly state: 'hit'; readonly value: string }
  | { readonly state: 'miss'; readonly lease: Lease }
  | { readonly state: 'wait' }
  | { readonly state: 'closed' }

export interface CacheOptions {
  /** How long a reader may take to fill a key; others wait no longer. Default: 10 s. */
  readonly leaseMs?: number
  /** Says why Redis fails, where `through` then reads by itself. Without it `through` throws. */
  readonly onError?: (error: unknown) => void
}

export interface FillOptions {
  /** How long the value is kept. Default: until it is invalidated. */
  readonly ttlMs?: number
  /**
   * The LSN that the database had come to before the value was read, as a number: for values read
   * from a replica (`pg_last_wal_replay_lsn()`). A value older than the last invalidation is not
   * taken.
   */
  readonly version?: bigint
}

/**
 * A cache in Redis that a sink `as: invalidate` keeps free of stale values.
 *
 * A reader that finds nothing takes a lease before it asks the database, and fills by that lease.
 * An invalidation removes value and lease together, so what was read before it can never be filled
 * after it. A lost lease costs a read, never a stale value.
 */
export class Cache {
  readonly #redis: Connection
  readonly #leaseMs: number
  readonly #onError: CacheOptions['onError']

  constructor(redis: Connection, { leaseMs = 10_000, onError }: CacheOptions = {}) {
    this.#redis = redis
    this.#leaseMs = leaseMs
    this.#onError = onError
  }

  /** Looks a key up, and takes the lease to fill it if nobody has it. */
  async get(key: string): Promise<Lookup> {
    const token = randomUUID()
    const words = [key, companionKey(leaseHead, key), token, String(this.#leaseMs)]
    const answer = await this.#run(lookupScript, 2, words)
    const [state, value] = answer as [number, string]
    if (state === 1) return { state: 'hit', value }
    if (state === 2) return { state: 'miss', lease: { key, token } }
    return { state: value === '-' ? 'closed' : 'wait' }
  }

  /** Stores a value by the lease that was taken before it was read. False: the lease is gone. */
  async fill(lease: Lease, value: string | Buffer, options: FillOptions = {}): Promise<boolean> {
    const { key, token } = lease
    const version = options.version === undefined ? '' : String(options.version).padStart(20, '0')
    const keys = [key, companionKey(leaseHead, key), companionKey(stampHead, key)]
    const words = [...keys, token, value, String(options.ttlMs ?? 0), version]
    return (await this.#run(fillScript, 3, words)) === 1
  }

  /**
   * The value of a key, read and filled if it is not there. While another reader fills it this one
   * waits, and reads by itself if that takes too long.
   */
  async through(
    key: string,
    read: () => Promise<string>,
    options: FillOptions = {},
  ): Promise<string> {
    const until = performance.now() + this.#leaseMs
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 100)) {
      const found = await this.#orNone(this.get(key))
      if (found?.state === 'hit') return found.value
      if (found?.state === 'miss') {
        const value = await read()
        await this.#orNone(this.fill(found.lease, value, options))
        return value
      }
      if (found?.state !== 'wait' || performance.now() >= until) return read()
      await sleep(pauseMs)
    }
  }

  async #orNone<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer
    } catch (error) {
      if (this.#onError === undefined) throw error
      this.#onError(error)
      return undefined
    }
  }

  async #run({ lua, sha }: typeof fillScript, keys: number, words: readonly (string | Buffer)[]) {
    try {
      return await this.#redis.evalsha(sha, keys, ...words)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return this.#redis.eval(lua, keys, ...words)
    }
  }
}

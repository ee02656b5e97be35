import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../src/core/errors.ts'
import { RedisClient } from './client.ts'
import { type Redirect, redirectOf } from './faults.ts'
import { keySlot, slotCount } from './key-slot.ts'
import type { RedisOptions } from './options.ts'
import type { Word } from './resp.ts'
import type { Script } from './scripts.ts'
import { readInfo } from './server-info.ts'

/** Markers on each shard: so many that moving some of its slots away leaves it one. */
const markersPerShard = 4
/** How often a call is sent on, or sent again while slots move: a few seconds in all. */
const attempts = 60

/**
 * The servers that hold a sink's keys: one, or the shards of a cluster, as the server that the
 * address names says. Each has one connection, made by `connect` or when a slot moves to it.
 */
export class Servers {
  readonly #options: RedisOptions
  readonly #name: string
  readonly #shards = new Map<string, Shard>()
  /** The address that each slot is at; undefined if there is no cluster. */
  #slots: string[] | undefined

  /** `name` is shown by CLIENT LIST. */
  constructor(options: RedisOptions, name: string) {
    this.#options = options
    this.#name = name
  }

  /** Opens all connections, in place of those before. */
  async connect(): Promise<void> {
    await this.close()
    const seed = new RedisClient(this.#options, this.#name)
    const shard = await this.#join('', seed)
    if (shard.isCluster) await this.#readSlots()
  }

  /** Changes whenever a server was started again, or another one has taken its place. */
  get identity(): string {
    const ids = this.#members().map(([, { runId }]) => runId)
    return ids.sort().join(',')
  }

  readonly slotOf = (key: string): number => (this.#slots === undefined ? 0 : keySlot(key))

  /** The answer to a command whose first word is a key. */
  command(name: string, key: string, ...words: readonly Word[]): Promise<unknown> {
    return this.#route(key, (client, asking) => client.command(name, [key, ...words], asking))
  }

  /** The texts under some keys, in their order. */
  async texts(keys: readonly string[]): Promise<readonly (string | null)[]> {
    if (keys.length === 0) return []
    const [first, ...rest] = keys as [string, ...string[]]
    const answer =
      this.#slots === undefined
        ? this.command('MGET', first, ...rest)
        : Promise.all(keys.map((key) => this.command('GET', key)))
    return (await answer) as (string | null)[]
  }

  run(script: Script, keys: readonly string[], args: readonly Word[]): Promise<unknown> {
    return this.#route(keys[0], (client, asking) => client.run(script, [keys, args], asking))
  }

  /** All keys that match, in pages; some may come twice. SCAN goes in small steps. */
  async *scan(pattern: string): AsyncGenerator<string[]> {
    for (const [, { client }] of this.#members()) {
      let cursor = '0'
      do {
        const found = await client.command('SCAN', [cursor, 'MATCH', pattern, 'COUNT', '1000'])
        const [next, keys] = found as [string, string[]]
        if (keys.length > 0) yield keys
        cursor = next
      } while (cursor !== '0')
    }
  }

  /** Whether nobody has anything there. */
  async isEmpty(): Promise<boolean> {
    for (const [, { client }] of this.#members()) {
      // Of an empty database the first page is the last one. DBSIZE would take one right more.
      const [next, keys] = (await client.command('SCAN', ['0'])) as [string, string[]]
      if (next !== '0' || keys.length > 0) return false
    }
    return true
  }

  /** How many keys the servers have evicted since they were started. */
  async evictedKeys(): Promise<number> {
    let evicted = 0
    for (const [, { client }] of this.#members()) {
      evicted += readInfo(String(await client.command('INFO', ['stats']))).evictedKeys
    }
    return evicted
  }

  /** Hash tags that lead to every shard, several for each; none if there is no cluster. */
  tags(): readonly string[] {
    if (this.#slots === undefined) return []
    const wanted = new Map(this.#members().map(([address]) => [address, markersPerShard]))
    const tags: string[] = []
    for (let i = 0; wanted.size > 0 && i < 1_000_000; i++) {
      const address = this.#slots[keySlot(String(i))]!
      const left = wanted.get(address)
      if (left === undefined) continue
      tags.push(String(i))
      if (left === 1) wanted.delete(address)
      else wanted.set(address, left - 1)
    }
    return tags
  }

  /** Whether every shard has a slot that one of the tags leads to. */
  cover(tags: readonly string[]): boolean {
    if (this.#slots === undefined) return true
    const reached = new Set(tags.map((tag) => this.#slots![keySlot(tag)]))
    return this.#members().every(([address]) => reached.has(address))
  }

  async close(): Promise<void> {
    const shards = [...this.#shards.values()]
    this.#shards.clear()
    this.#slots = undefined
    await Promise.all(shards.map(({ client }) => client.close()))
  }

  /** The servers that have slots; without a cluster, the one. */
  #members(): [address: string, Shard][] {
    if (this.#slots === undefined) return [...this.#shards]
    const owners = new Set(this.#slots)
    return [...this.#shards].filter(([address]) => owners.has(address))
  }

  async #route(
    key: string | undefined,
    send: (client: RedisClient, asking: boolean) => Promise<unknown>,
  ): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      const { client } = await this.#shardOf(key)
      try {
        return await send(client, false)
      } catch (error) {
        const redirect = this.#slots && redirectOf(error)
        if (redirect === undefined || attempt >= attempts) throw error
        const answer = await this.#follow(redirect, send)
        if (answer !== undefined) return answer.value
      }
    }
  }

  /** `undefined`: to be sent again as the slots are now. */
  async #follow(
    { kind, address }: Redirect,
    send: (client: RedisClient, asking: boolean) => Promise<unknown>,
  ): Promise<{ readonly value: unknown } | undefined> {
    if (kind === 'moved') return void (await this.#readSlots())
    if (kind === 'ask') {
      const { client } = await this.#shardAt(address)
      try {
        return { value: await send(client, true) }
      } catch (error) {
        if (redirectOf(error) === undefined) throw error
      }
    }
    await sleep(50) // Some keys of a slot are here and some there, until all have moved.
    return undefined
  }

  async #shardOf(key: string | undefined): Promise<Shard> {
    const address = this.#slots === undefined ? '' : this.#slots[keySlot(key ?? '')]
    const shard = address === undefined ? undefined : this.#shards.get(address)
    if (shard !== undefined) return shard
    if (address) return this.#shardAt(address)
    throw new MillraceError('CONNECTION_LOST', 'Redis: there is no connection, or no slot.')
  }

  async #shardAt(address: string): Promise<Shard> {
    const known = this.#shards.get(address)
    return known ?? this.#join(address, new RedisClient(this.#options, this.#name, address))
  }

  async #join(address: string, client: RedisClient): Promise<Shard> {
    try {
      await client.connect()
      const info = readInfo(String(await client.command('INFO', ['server'])))
      const shard = { client, ...info }
      this.#shards.set(address, shard)
      return shard
    } catch (error) {
      await client.close()
      throw error
    }
  }

  /** Asks any shard where the slots are, and connects to those that have one. */
  async #readSlots(): Promise<void> {
    const [seed] = this.#shards.values()
    const ranges = (await seed!.client.command('CLUSTER', ['SLOTS'])) as SlotRange[]
    const slots: string[] = Array(slotCount)
    for (const [first, last, [host, port]] of ranges) {
      slots.fill(`${host || seed!.client.host}:${port}`, first, last + 1)
    }
    if (slots.includes(undefined as never)) {
      throw new MillraceError(
        'TARGET_BUSY',
        'Redis: some slots of the cluster are served by nobody.',
      )
    }
    this.#slots = slots
    for (const address of new Set(slots)) await this.#shardAt(address)
  }
}

interface Shard {
  readonly client: RedisClient
  readonly runId: string
  readonly isCluster: boolean
}

type SlotRange = [first: number, last: number, primary: [host: string, port: number]]

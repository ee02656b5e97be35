import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import { type Documents, inRedis, inSearch, inSqlite } from '../../config/orders/demo/verdict.ts'
import { checkpointKey } from '../../src/core/checkpoint.ts'
import type { Subject } from './subject.ts'

/** The live documents' ids with the version under which the sink keeps them. */
export type Versions = ReadonlyMap<string, bigint>

/** What the sink has committed, by partition; `null`: nothing of it yet. */
export type Positions = readonly (string | null)[]

/** What a sink has written, seen from outside: past the program and past every gate. */
export interface Target {
  /** The sink's name in the configuration. */
  readonly name: string
  readonly subject: Subject
  /** Undefined until there is a checkpoint of every partition. */
  positions(): Promise<Positions | undefined>
  /** Undefined while there is nothing to read from. */
  versions(): Promise<Versions | undefined>
  has(id: string): Promise<boolean>
  documents(): Promise<Documents>
  close(): Promise<void>
}

/** What a sink holds: of which subject, from which topic, and by which name there. */
export interface Held {
  readonly subject: Subject
  readonly name: string
  readonly topic: string
  /** Of a table or an index. */
  readonly plural: string
  /** Of a document, in a key. */
  readonly singular: string
  /** How many partitions the topic has. */
  readonly partitions: number
}

/** The sinks of a subject bear a suffix. */
export function heldOf(subject: Subject, sink: string, partitions: number): Held {
  return subject.connector === 'db'
    ? { subject, partitions, name: sink, topic: 'shop.orders', plural: 'orders', singular: 'order' }
    : {
        ...{ subject, partitions, name: `${sink}-papers`, topic: 'archive.public.papers' },
        ...{ plural: 'papers', singular: 'paper' },
      }
}

interface Stored {
  readonly position: string | null
}

/** `read` gives the checkpoint under a key. */
async function positionsOf(
  { name, topic, partitions }: Held,
  read: (key: string) => Promise<Stored | undefined>,
): Promise<Positions | undefined> {
  const positions: (string | null)[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const stored = await read(checkpointKey({ pipeline: 'shop', name, topic, partition }))
    if (stored === undefined) return undefined
    positions.push(stored.position)
  }
  return positions
}

export function sqliteTarget(held: Held, path: string): Target {
  const { plural: table } = held
  const read = (sql: string, ...values: string[]) => {
    try {
      const database = new DatabaseSync(path, { readOnly: true, timeout: 1_000 })
      try {
        const statement = database.prepare(sql)
        statement.setReadBigInts(true)
        return statement.all(...values)
      } finally {
        database.close()
      }
    } catch {
      return undefined // The file or the table is not there yet.
    }
  }
  return {
    ...held,
    positions: () =>
      positionsOf(held, async (key) => {
        const rows = read('SELECT value FROM millrace_checkpoint WHERE key = ?', key)
        return rows?.[0] && (JSON.parse(String(rows[0].value)) as Stored)
      }),
    async versions() {
      const rows = read(`SELECT id, version FROM ${table}`)
      return rows && new Map(rows.map(({ id, version }) => [String(id), version as bigint]))
    },
    has: async (id) => read(`SELECT 1 FROM ${table} WHERE id = ?`, id)?.length === 1,
    documents: async () => inSqlite(path, table),
    close: async () => {},
  }
}

/** A stamp begins with twenty digits of version; `u` after ten of ordinal says that it is alive. */
const stamp = /^(\d{20})\d{10}u/

export function redisTarget(held: Held, url: string): Target {
  const { singular: prefix } = held
  const idOf = new RegExp(`\\{${prefix}:(.*)\\}$`)
  const redis = new Redis(url)
  redis.on('error', () => {}) // Some rounds kill it; what is asked next reports it.
  return {
    ...held,
    positions: () =>
      positionsOf(held, async (key) => {
        const text = await redis.get(`millrace:{${key}}:checkpoint`)
        return text === null ? undefined : (JSON.parse(text) as Stored)
      }),
    async versions() {
      const versions = new Map<string, bigint>()
      for await (const keys of redis.scanStream({
        match: `millrace:v{${prefix}:*`,
        count: 2_000,
      })) {
        const stamps = keys.length === 0 ? [] : await redis.mget(...(keys as string[]))
        for (const [i, text] of stamps.entries()) {
          const version = stamp.exec(text ?? '')?.[1]
          const id = idOf.exec((keys as string[])[i]!)?.[1]
          if (version !== undefined && id !== undefined) versions.set(id, BigInt(version))
        }
      }
      return versions
    },
    has: async (id) => (await redis.exists(`${prefix}:${id}`)) === 1,
    documents: () => inRedis(url, prefix),
    async close() {
      redis.disconnect()
    },
  }
}

interface Page {
  readonly hits: { readonly hits: readonly Hit[] }
}

interface Hit {
  readonly _id: string
  readonly _version: number
  readonly sort: readonly unknown[]
}

const pageSize = 10_000

/** Of an index that is just being opened, some shards would answer before others. */
const whole = '?allow_partial_search_results=false'

export function searchTarget(held: Held, url: string): Target {
  const { plural: index } = held
  const get = async (path: string, body?: object): Promise<unknown> => {
    const request = body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }
    const answer = await fetch(`${url}${path}`, request)
    if (answer.ok) return exactly(await answer.text())
    await answer.body?.cancel()
    return undefined
  }
  return {
    ...held,
    positions: () =>
      positionsOf(held, async (key) => {
        const path = `/millrace-checkpoints/_doc/${encodeURIComponent(key)}`
        const found = (await get(path)) as { readonly _source: Stored } | undefined
        return found?._source
      }),
    async versions() {
      await get(`/${index}/_refresh`, {})
      const versions = new Map<string, bigint>()
      const query = { size: pageSize, version: true, _source: false, sort: [{ id: 'asc' }] }
      for (let after: readonly unknown[] | undefined; ; ) {
        const body = { ...query, ...(after && { search_after: after }) }
        const page = (await get(`/${index}/_search${whole}`, body)) as Page | undefined
        if (page === undefined) return undefined
        const { hits } = page.hits
        for (const { _id, _version } of hits) versions.set(_id, BigInt(_version))
        if (hits.length < pageSize) return versions
        after = hits.at(-1)!.sort
      }
    },
    has: async (id) => (await get(`/${index}/_doc/${id}`)) !== undefined,
    documents: () => inSearch(url, index),
    close: async () => {},
  }
}

/** Versions beyond 2^53 keep their digits, as text. */
function exactly(text: string): unknown {
  return JSON.parse(text.replaceAll(/"_version":(\d+)/g, '"_version":"$1"'))
}

import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'

/** What a sink holds: documents by id. */
export type Documents = Readonly<Record<string, unknown>>

export function inSqlite(path: string, table: string): Documents {
  if (!existsSync(path)) return {}
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  try {
    const known = 'SELECT 1 FROM sqlite_schema WHERE name = ?'
    if (database.prepare(known).get(table) === undefined) return {}
    const rows = database.prepare(`SELECT id, doc FROM "${table}"`).all()
    return Object.fromEntries(rows.map(({ id, doc }) => [String(id), JSON.parse(String(doc))]))
  } finally {
    database.close()
  }
}

/** Documents under keys `<prefix><id>`. */
export async function inRedis(url: string, prefix: string): Promise<Documents> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => {}) // Said again by the command that fails.
  try {
    await client.connect()
    const keys = await client.keys(`${prefix}*`)
    const texts = keys.length === 0 ? [] : await client.mget(keys)
    const entries = keys.map((key, i) => [key.slice(prefix.length), JSON.parse(texts[i] ?? 'null')])
    return Object.fromEntries(entries)
  } catch {
    return {}
  } finally {
    client.disconnect()
  }
}

/** An index as it is after a refresh; empty while there is none. */
export async function inIndex(url: string, index: string): Promise<Documents> {
  await fetch(`${url}/${index}/_refresh`, { method: 'POST' })
  const answer = await fetch(`${url}/${index}/_search?size=1000`)
  if (!answer.ok) return {}
  const { hits } = (await answer.json()) as { hits: { hits: { _id: string; _source: unknown }[] } }
  return Object.fromEntries(hits.hits.map(({ _id, _source }) => [_id, _source]))
}

/** Everything in a Redis is gone at once. */
export async function flushAll(url: string): Promise<void> {
  const client = new Redis(url)
  await client.flushall()
  client.disconnect()
}

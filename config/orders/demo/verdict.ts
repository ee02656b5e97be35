import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import type { Client } from 'pg'

/** What a sink holds: documents by id. */
export type Documents = ReadonlyMap<string, unknown>

/** The order view as Postgres itself computes it. */
export async function expected(client: Client): Promise<Documents> {
  const { rows } = await client.query<{ id: string; doc: unknown }>(
    `SELECT o.id, json_build_object(
              'id', o.id, 'status', o.status,
              'placed_at', replace(replace(o.placed_at::text, ' ', 'T'), '+00', 'Z'),
              'note', o.note,
              'customer', CASE WHEN c.id IS NULL THEN NULL ELSE
                json_build_object('name', c.name, 'email', c.email, 'city', c.city) END,
              'items', (
                SELECT coalesce(json_agg(json_build_object(
                  'line', i.line, 'sku', i.sku, 'title', p.title,
                  'quantity', i.quantity, 'price', p.price::text) ORDER BY i.line), '[]')
                FROM order_items i JOIN products p USING (sku) WHERE i.order_id = o.id)
            ) AS doc
       FROM orders o LEFT JOIN customers c ON c.id = o.customer_id`,
  )
  return new Map(rows.map(({ id, doc }) => [String(id), doc]))
}

export function inSqlite(path: string, table = 'orders'): Documents {
  if (!existsSync(path)) return new Map()
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const rows = database.prepare(`SELECT id, doc FROM ${table}`).all()
    return new Map(rows.map(({ id, doc }) => [String(id), JSON.parse(String(doc))]))
  } catch {
    return new Map() // The table is not there yet.
  } finally {
    database.close()
  }
}

export async function inRedis(url: string, prefix = 'order'): Promise<Documents> {
  const isDocument = new RegExp(`^${prefix}:-?\\d+$`)
  const redis = new Redis(url)
  try {
    const documents = new Map<string, unknown>()
    for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1000 })) {
      for (const key of keys as string[]) {
        if (!isDocument.test(key)) continue
        const text = await redis.get(key)
        if (text !== null) documents.set(key.slice(prefix.length + 1), JSON.parse(text))
      }
    }
    return documents
  } finally {
    redis.disconnect()
  }
}

export async function inSearch(url: string, index: string): Promise<Documents> {
  await fetch(`${url}/${index}/_refresh`, { method: 'POST' })
  const documents = new Map<string, unknown>()
  let after: string | undefined
  for (;;) {
    const body = JSON.stringify({
      ...{ size: 1000, sort: [{ id: 'asc' }] },
      ...(after !== undefined && { search_after: [after] }),
    })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${url}/${index}/_search`, { method: 'POST', headers, body })
    if (!answer.ok) return documents
    const { hits } = (await answer.json()) as { hits: { hits: Hit[] } }
    for (const { _id, _source } of hits.hits) documents.set(_id, _source)
    after = hits.hits.at(-1)?.sort[0]
    if (hits.hits.length < 1000) return documents
  }
}

interface Hit {
  readonly _id: string
  readonly _source: unknown
  readonly sort: readonly [string]
}

export interface Difference {
  readonly missing: number
  readonly extra: number
  readonly different: number
  /** One id that differs, to look at. */
  readonly example?: string
}

export function compare(expected: Documents, found: Documents): Difference {
  const missing = [...expected.keys()].filter((id) => !found.has(id))
  const extra = [...found.keys()].filter((id) => !expected.has(id))
  const different = [...expected].flatMap(([id, doc]) =>
    found.has(id) && canonical(doc) !== canonical(found.get(id)) ? [id] : [],
  )
  const example = missing[0] ?? extra[0] ?? different[0]
  const counts = { missing: missing.length, extra: extra.length, different: different.length }
  return { ...counts, ...(example !== undefined && { example }) }
}

export function agrees({ missing, extra, different }: Difference): boolean {
  return missing + extra + different === 0
}

/** The same JSON whatever the order of members. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

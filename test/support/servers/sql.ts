import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

export interface SqlClient {
  query<Row = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Row[]>
  end(): Promise<void>
}

/** One connection, made with the first query and again after it was lost. */
export function sqlClient(url: string): SqlClient {
  let connected: Promise<pg.Client> | undefined
  const connect = async () => {
    const client = new pg.Client({ connectionString: url })
    // A server that goes down under an idle connection is part of some tests, and no fault.
    client.on('error', () => (connected = undefined))
    await client.connect()
    return client
  }
  return {
    async query<Row>(sql: string, values?: readonly unknown[]) {
      connected ??= connect()
      const client = await connected.catch((error) => {
        connected = undefined
        throw error
      })
      const result = await client.query(sql, values as unknown[])
      return (Array.isArray(result) ? result.at(-1) : result).rows as Row[]
    },
    async end() {
      await (await connected?.catch(() => undefined))?.end().catch(() => {})
    },
  }
}

// A slot that is being read keeps its database alive, and its reader may come back at once.
const endReaders = `select pg_terminate_backend(active_pid) from pg_replication_slots
  where database = $1 and active_pid is not null`
const attempts = 50

/** Drops a database with its slots and whoever is connected to it. */
export async function dropDatabase(adminUrl: string, database: string): Promise<void> {
  const admin = sqlClient(adminUrl)
  try {
    for (let attempt = 1; ; attempt++) {
      await admin.query(endReaders, [database])
      const dropped = admin.query(`drop database if exists ${database} with (force)`)
      const error = await dropped.then(() => undefined).catch((fault) => fault)
      if (error === undefined) return
      if (attempt === attempts) throw error
      await sleep(100)
    }
  } finally {
    await admin.end()
  }
}

import '../../../src/core/small-heap.ts'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { postgresSink } from '../../../sinks/postgres/index.ts'
import { sqlite } from '../../../sinks/sqlite/index.ts'
import { finish } from './finish.ts'
import { carry, figures, fill, row, topic } from './orders.ts'

const { documents, path, mode, target } = JSON.parse(process.argv[2]!)
/** In a transaction; as many as a sink writes between two checkpoints. */
const batch = 10_000
const context = { pipeline: 'bench', name: 'bench', topic, partition: 0, say: () => {} }
const runs: Readonly<Record<string, () => Promise<object>>> = {
  fill: () => fill(path, documents),
  'postgres sink': () => {
    const options = postgresSink.options.parse({ type: 'postgres', url: target })
    return carry({ path, documents }, postgresSink.open(options, context))
  },
  'sqlite sink': () => {
    const options = sqlite.options.parse({ type: 'sqlite', path: target })
    return carry({ path, documents }, sqlite.open(options, context))
  },
  'postgres bare': barePostgres,
  'sqlite bare': bareSqlite,
}
finish(await runs[mode]!())

/** The least that a client can do: an upsert of so many rows at a time, in arrays. */
async function barePostgres(): Promise<object> {
  const rows = Array.from({ length: documents }, (_, i) => row(i))
  const client = new pg.Client({ connectionString: target })
  await client.connect()
  await client.query('CREATE TABLE bare (id text PRIMARY KEY, doc jsonb, version bigint)')
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let from = 0; from < documents; from += batch) {
    const some = rows.slice(from, from + batch)
    const ids = some.map((_, i) => String(from + i))
    const docs = some.map((each) => JSON.stringify(each))
    const versions = some.map((_, i) => String(from + i + 1))
    await client.query(
      `INSERT INTO bare SELECT * FROM unnest($1::text[], $2::jsonb[], $3::bigint[])
       ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, version = excluded.version
       WHERE bare.version < excluded.version`,
      [ids, docs, versions],
    )
  }
  const result = figures(documents, start, cpu)
  await client.end()
  return result
}

/** The same, by one prepared statement. */
async function bareSqlite(): Promise<object> {
  const rows = Array.from({ length: documents }, (_, i) => row(i))
  const database = new DatabaseSync(target)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  database.exec('CREATE TABLE bare (id TEXT PRIMARY KEY, doc TEXT, version INTEGER)')
  const upsert = database.prepare(
    `INSERT INTO bare VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE
     SET doc = excluded.doc, version = excluded.version WHERE version < excluded.version`,
  )
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let from = 0; from < documents; from += batch) {
    database.exec('BEGIN IMMEDIATE')
    for (const [i, each] of rows.slice(from, from + batch).entries()) {
      upsert.run(String(from + i), JSON.stringify(each), from + i + 1)
    }
    database.exec('COMMIT')
  }
  const result = figures(documents, start, cpu)
  database.close()
  return result
}

import { Client } from 'pg'
import type { Documents } from '../../config/orders/demo/verdict.ts'
import type { Subject } from './subject.ts'

const papers = 4_200

/**
 * Nearly every row has a page of its own, so that a snapshot cuts the table into ranges. Bodies are
 * long enough to be TOASTed. Ids leave room for rows that move by one.
 */
const schema = `
  CREATE SEQUENCE paper_ids INCREMENT 1000;
  CREATE TABLE papers (
    id bigint PRIMARY KEY DEFAULT nextval('paper_ids'),
    grade int NOT NULL DEFAULT 0,
    note text,
    body text,
    ballast text NOT NULL DEFAULT repeat('-', 420)
  ) WITH (fillfactor = 10, autovacuum_enabled = false);
  ALTER TABLE papers ALTER body SET STORAGE EXTERNAL;
  CREATE TABLE signals (id text, type text, data text)`

/** Every third row has a large body, which stays the same through most updates. */
export const newBody =
  "CASE WHEN random() < 0.33 THEN repeat(md5(random()::text), 80) ELSE 'short' END"

const addPapers = `INSERT INTO papers (body) SELECT ${newBody} FROM generate_series(1, $1::int)`

/** The second database of the pipeline: one table, whose rows go to the sinks as they are. */
export async function makeArchive(url: string): Promise<Subject> {
  const client = new Client(url)
  client.on('error', () => {}) // Whatever is asked next reports it.
  await client.connect()
  await client.query("SET TimeZone = 'UTC'")
  await client.query(schema)
  await client.query(addPapers, [papers])
  return {
    ...{ connector: 'archive', slot: 'millrace_shop_archive', client, reusesIds: true },
    tables: ['public.papers'],
    expected: () => expected(client),
    placeLast: () => placeLast(client),
    trim: () => trim(client),
    async vanish(part) {
      await client.query('DELETE FROM papers WHERE id / 1000 % 7 = $1', [part])
      await client.query('UPDATE papers SET id = id + 1 WHERE id / 1000 % 7 = ($1 + 1) % 7', [part])
    },
  }
}

async function expected(client: Client): Promise<Documents> {
  const { rows } = await client.query(
    "SELECT id::text, (to_jsonb(papers) - 'ballast')::text AS doc FROM papers",
  )
  // Decimals keep their digits, in a string.
  const exact = (doc: string) => doc.replace(/("extra_\d+": )(-?[\d.]+)/, '$1"$2"')
  return new Map(rows.map(({ id, doc }) => [id, JSON.parse(exact(doc))]))
}

async function placeLast(client: Client): Promise<string> {
  const { rows } = await client.query("INSERT INTO papers (note) VALUES ('the end') RETURNING id")
  return String(rows[0].id)
}

async function trim(client: Client): Promise<void> {
  await client.query(
    'DELETE FROM papers WHERE id <= (SELECT id FROM papers ORDER BY id DESC OFFSET $1 LIMIT 1)',
    [papers],
  )
  const { rows } = await client.query('SELECT count(*)::int FROM papers')
  await client.query(addPapers, [Math.max(0, papers - rows[0].count)])
}

import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Random } from '../../../crash/random.ts'
import type { TestDatabase } from '../../../support/servers/use.ts'

/** A table with a key of two columns, a value that is TOASTed, and a count of all writes. */
export async function makeItems({ query }: TestDatabase, rows: number): Promise<void> {
  await query(`
    CREATE SEQUENCE writes;
    CREATE TABLE items (part text, id int, n bigint NOT NULL DEFAULT nextval('writes'),
      note text, big text, PRIMARY KEY (part, id));
    ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE marks (id int PRIMARY KEY, note text);
    INSERT INTO items (part, id, note, big)
      SELECT 'p' || i % 3, i, repeat('n', 40), CASE WHEN i % 2 = 0 THEN repeat('b', 3000) END
        FROM generate_series(1, ${rows}) i;
    ANALYZE items`)
}

/** Writes at random until stopped: rows come, change, take other keys, and go. */
export async function writeItems(
  { url }: TestDatabase,
  { seed, rows, signal }: { seed: number; rows: number; signal: AbortSignal },
): Promise<number> {
  const random = new Random(seed)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query("SET lock_timeout = '5ms'")
  // Many small commits: a chunk shall meet some that it does not see.
  if (seed % 3 > 0) await client.query('SET synchronous_commit = off')
  let commits = 0
  try {
    while (!signal.aborted) {
      commits++
      // A consumer that is killed all the time must still come after.
      await sleep(10)
      await client.query('BEGIN')
      const count = random.between(1, 4)
      for (let i = 0; i < count; i++) {
        await client.query('SAVEPOINT one')
        // Another writer may have taken the key; then nothing happens.
        await client.query(statement(random, rows)).catch(() => client.query('ROLLBACK TO one'))
      }
      await client.query(random.below(8) === 0 ? 'ROLLBACK' : 'COMMIT').catch(() => {})
    }
    return commits
  } finally {
    await client.end()
  }
}

function statement(random: Random, rows: number): string {
  // Of three rows that an id may have, most often one is there.
  const key = () => `id = ${random.between(1, rows + 50)}`
  const fresh = `n = nextval('writes')`
  // More than one batch holds.
  if (random.below(300) === 0) return `UPDATE items SET note = 'all', ${fresh}`
  switch (random.below(8)) {
    case 0:
      return `INSERT INTO items (part, id, note, big) VALUES ('p${random.below(3)}',
        ${random.between(1, rows + 50)}, 'new', repeat('c', ${random.pick([10, 3000])}))`
    case 1:
      return `DELETE FROM items WHERE ${key()}`
    case 2:
      return `UPDATE items SET big = repeat('d', ${random.pick([10, 3000])}), ${fresh} WHERE ${key()}`
    case 3:
    case 4:
      return `UPDATE items SET part = 'p${random.below(3)}', id = ${random.between(1, rows + 50)},
        ${fresh} WHERE ${key()}`
    default:
      return `UPDATE items SET note = 'u${random.below(1000)}', ${fresh}
        WHERE id BETWEEN ${random.below(rows)} AND ${random.below(rows)} AND id % 50 = 0
           OR ${key()}`
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { test } from 'tap'
import { usePostgres } from '../../../support/servers/use.ts'
import { say } from '../reading.ts'
import { Follower } from './incremental-follower.ts'

test('a commit that is streamed before anybody sees it is not undone by a snapshot', async (t) => {
  const database = await usePostgres(t, {})
  const { query } = database
  await query(`
    CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL DEFAULT 0);
    CREATE TABLE marks (id serial PRIMARY KEY, note text);
    CREATE TABLE signals (id text, type text, data text);
    INSERT INTO items SELECT i FROM generate_series(1, 9) i`)
  const options = {
    'snapshot.mode': 'no_data',
    'signal.data.collection': 'public.signals',
  } as const
  const follower = new Follower(database, options)
  await follower.untilRead()

  // A standby that nobody is: commits reach the WAL, and wait before they can be seen.
  await query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
  await query('SELECT pg_reload_conf()')
  await query('SET synchronous_commit = local')
  const writer = new pg.Client({ connectionString: database.url })
  await writer.connect()
  while (
    (await writer.query('SHOW synchronous_standby_names')).rows[0].synchronous_standby_names === ''
  )
    await sleep(20)
  const writing = writer.query('UPDATE items SET n = 1 WHERE id = 5')
  await follower.until('"n":1')
  await query(`INSERT INTO signals VALUES ('1', 'execute-snapshot',
    '{"data-collections": ["public.items"]}')`)
  // This one is another life: it can see only that the commit waits.
  const waiting = follower.until('still waiting')
  while (!follower.said.some((line) => line.includes('begins'))) await sleep(10)
  await sleep(500)
  await query("INSERT INTO marks (note) VALUES ('still waiting')")
  await waiting
  t.strictSame(reads(follower), [])
  t.equal((await query<{ n: number }>('SELECT n FROM items WHERE id = 5'))[0]!.n, 0)

  await query('ALTER SYSTEM RESET synchronous_standby_names')
  await query('SELECT pg_reload_conf()')
  await writing
  await writer.end()
  await follower.untilRead()
  t.equal(reads(follower).length, 9)
  t.match(
    reads(follower).find(({ key }) => key === '{"id":5}'),
    { after: '{"id":5,"n":1}' },
  )
  t.strictSame(follower.fold.faults, [])
})

function reads(follower: Follower) {
  return follower.records.map(say).filter(({ op, topic }) => op === 'r' && /items/.test(topic))
}

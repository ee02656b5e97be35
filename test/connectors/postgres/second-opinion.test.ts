import { LogicalReplicationService, type Pgoutput, PgoutputPlugin } from 'pg-logical-replication'
import { type Test, test } from 'tap'
import type { Position } from '../../../src/core/source.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'
import { brings, openSource, read, say, snapshotEnds } from './reading.ts'

/*
 * The same WAL, read through two slots: by our decoder, and by that of the package
 * pg-logical-replication. All columns are numbers or text, so that both can be compared as text.
 */

type Message = Pgoutput.Message

/** A change as text: members that were not sent are absent. */
type Told = readonly [op: string, table: string, before: string, after: string]

const tables = ['keyed', 'pair', 'whole', 'indexed', 'wide', 'mixed Case', 'keyless']

const schema = `
  CREATE TABLE keyed (id int PRIMARY KEY, name text, note text);
  CREATE TABLE pair (b text, a int, note text, PRIMARY KEY (a, b));
  CREATE TABLE whole (id int PRIMARY KEY, name text, large text);
  ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE indexed (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text);
  ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_code_key;
  CREATE TABLE wide (id int PRIMARY KEY, large text, note text);
  ALTER TABLE wide ALTER large SET STORAGE EXTERNAL;
  ALTER TABLE whole ALTER large SET STORAGE EXTERNAL;
  CREATE TABLE "mixed Case" ("Id" int PRIMARY KEY, "Größe ""x""" text);
  CREATE TABLE keyless (name text, note text);
  ALTER TABLE keyless REPLICA IDENTITY FULL`

const changes = [
  "INSERT INTO keyed VALUES (1, 'one', NULL), (2, 'two', ''), (3, NULL, 'null')",
  "UPDATE keyed SET note = 'changed' WHERE id = 1",
  'UPDATE keyed SET id = 30, note = NULL WHERE id = 3',
  'UPDATE keyed SET id = id WHERE id = 2',
  'DELETE FROM keyed WHERE id = 30',
  "INSERT INTO pair VALUES ('x', 1, 'first'), ('y', 1, 'second')",
  "UPDATE pair SET b = 'z' WHERE b = 'y'",
  "DELETE FROM pair WHERE b = 'x'",
  "INSERT INTO whole VALUES (1, 'one', repeat('w', 9000)), (2, NULL, NULL)",
  "UPDATE whole SET name = 'one more' WHERE id = 1",
  'UPDATE whole SET id = 10 WHERE id = 1',
  'DELETE FROM whole',
  "INSERT INTO indexed VALUES (1, 'a', 'x'), (2, 'b', NULL)",
  "UPDATE indexed SET note = 'y' WHERE id = 1",
  "UPDATE indexed SET code = 'c' WHERE id = 1",
  'UPDATE indexed SET id = 20 WHERE id = 2',
  'DELETE FROM indexed',
  "INSERT INTO wide VALUES (1, repeat('l', 9000), 'one'), (2, 'short', 'two')",
  "UPDATE wide SET note = 'again'",
  'UPDATE wide SET id = 11 WHERE id = 1',
  "UPDATE wide SET large = repeat('m', 9000) WHERE id = 11",
  `INSERT INTO "mixed Case" VALUES (1, E'tab\\t "quote" back\\\\slash \\u00fc \\U0001F600')`,
  `BEGIN;
   INSERT INTO keyed VALUES (40, 'begun', NULL);
   SAVEPOINT one; INSERT INTO keyed VALUES (41, 'rolled back', NULL); ROLLBACK TO one;
   UPDATE wide SET note = 'in a commit' WHERE id = 2;
   DELETE FROM keyed WHERE id = 2;
   INSERT INTO keyed VALUES (2, 'back', NULL);
   COMMIT`,
  'TRUNCATE pair, wide',
  'BEGIN; INSERT INTO keyed VALUES (50, NULL, NULL); ROLLBACK',
  "INSERT INTO keyless VALUES ('a', 'x'), ('a', 'x'), (NULL, NULL)",
  "UPDATE keyless SET note = 'y' WHERE name = 'a'",
  'DELETE FROM keyless WHERE name IS NULL',
  "ALTER TABLE keyed ADD added text DEFAULT 'd'; UPDATE keyed SET name = 'after' WHERE id = 1",
  'ALTER TABLE keyed DROP note; DELETE FROM keyed WHERE id = 1',
  "INSERT INTO keyed VALUES (1000, 'the end')",
]

test('another decoder of the same WAL tells the same changes', async (t) => {
  const database = await usePostgres(t)
  await database.query(schema)
  const names = tables.map((table) => `public.${table}`)
  const { position } = await read(openSource(database, names), undefined, snapshotEnds)
  const theirSlot = `${database.database}_theirs`
  const copy = 'SELECT pg_copy_logical_replication_slot($1, $2)'
  await database.query(copy, [database.database, theirSlot])
  for (const change of changes) await database.query(change)

  const ours = await tellOurs(database, names, position!)
  const theirs = await tellTheirs(t, database, theirSlot)
  t.ok(ours.length > changes.length)
  t.strictSame(ours, theirs.flatMap(expected))
})

async function tellOurs(
  database: TestDatabase,
  names: readonly string[],
  from: Position,
): Promise<Told[]> {
  const { records } = await read(openSource(database, names), from, brings('the end'))
  return records
    .map(say)
    .filter(({ op }) => op !== null) // Tombstones say nothing of their own.
    .map(({ op, topic, before, after }) => [op!, topic.slice(10), texts(before), texts(after)])
}

/** The members of a row with all values as text, in one order. */
function texts(row: string): string {
  return asText(JSON.parse(row))
}

function asText(row: Record<string, unknown> | null): string {
  if (row === null) return 'null'
  const entries = Object.entries(row).filter(([, value]) => value !== undefined)
  const shown = entries.map(([name, value]) => [name, value === null ? null : String(value)])
  return JSON.stringify(shown.sort())
}

async function tellTheirs(t: Test, { url, database }: TestDatabase, slot: string) {
  const service = new LogicalReplicationService({ connectionString: url })
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [database] })
  t.teardown(() => service.destroy())
  const messages: Message[] = []
  await new Promise<void>((resolve, reject) => {
    service.on('error', reject)
    service.on('data', (_lsn, message: Message) => {
      messages.push(message)
      if (message.tag === 'insert' && message.new.name === 'the end') resolve()
    })
    service.subscribe(plugin, slot).catch(reject)
  })
  return messages
}

/** What a message of theirs should have become: a change of the key is a delete and a create. */
function expected(message: Message): Told[] {
  if (message.tag === 'insert') return [told('c', message.relation, null, message.new)]
  if (message.tag === 'delete') {
    return [told('d', message.relation, message.key ?? message.old, null)]
  }
  if (message.tag === 'truncate') {
    return message.relations.map((relation) => told('t', relation, null, null))
  }
  if (message.tag !== 'update') return []
  const { relation, key, old, new: after } = message
  const before = key ?? old
  const filled = { ...after }
  for (const [name, value] of Object.entries(filled))
    filled[name] = value ?? before?.[name] ?? value
  if (before === null || !movesKey(relation.name, before, filled)) {
    return [told('u', relation, before, filled)]
  }
  return [told('d', relation, before, null), told('c', relation, null, filled)]
}

const keys: Readonly<Record<string, readonly string[]>> = {
  ...{ keyed: ['id'], pair: ['a', 'b'], whole: ['id'], indexed: ['code'], wide: ['id'] },
  ...{ 'mixed Case': ['Id'], keyless: [] },
}

type Row = Record<string, unknown>

function movesKey(table: string, before: Row, after: Row): boolean {
  return keys[table]!.some((name) => before[name] !== after[name])
}

function told(op: string, { name }: { name: string }, before: Row | null, after: Row | null): Told {
  const topicName = name.replace(/[^A-Za-z0-9._-]/gu, '_')
  return [op, topicName, asText(before), asText(after)]
}

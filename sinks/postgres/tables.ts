/*
 * The tables of one sink:
 *
 *   <table>           a row for each document: _id, _doc (jsonb), _version, _ordinal, _key,
 *                     _partition, and a column for each column of the rows (columns.ts), as far
 *                     as the topic tells them
 *   <table>__deleted  versions of deleted rows, kept for a week
 */
import { configDigest } from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { Database } from './database.ts'
import type { PostgresSinkOptions } from './options.ts'

export interface Shape {
  readonly table: string
  /** Digest of the options that shape what is stored. */
  readonly config: string
}

export function shapeOf({ table, id }: PostgresSinkOptions, topic: string): Shape {
  return {
    table: table ?? topic.slice(topic.lastIndexOf('.') + 1).slice(0, 50),
    config: configDigest({ layout: 2, id }),
  }
}

/**
 * Makes the tables, or makes them anew if the options have changed. A table of the same name that
 * this sink has not made is left alone: TARGET_MISCONFIGURED.
 */
export async function prepareTables(db: Database, shape: Shape, owner: string): Promise<void> {
  const { table, config } = shape
  const registry = db.name('millrace_tables')
  const [known] = await db.ask(`SELECT owner, config FROM ${registry} WHERE name = $1`, [table])
  if (known !== undefined && known.owner !== owner) throw taken(db, table, `is ${known.owner}'s`)
  const names = [table, `${table}__deleted`]
  if (known?.config === config && (await allExist(db, names))) return
  if (known === undefined && (await anyExists(db, names))) {
    throw taken(db, table, 'was not made by millrace')
  }
  for (const name of names) await db.ask(`DROP TABLE IF EXISTS ${db.name(name)}`)
  // What was filled is gone: whoever writes to another partition of it begins anew, too.
  const checkpoints = db.name('millrace_checkpoint')
  await db.ask(`DELETE FROM ${checkpoints} WHERE left(key, length($1)) = $1`, [`${owner}/`])
  await createTables(db, table)
  await db.ask(
    `INSERT INTO ${registry} VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET config = excluded.config`,
    [table, owner, config],
  )
}

async function createTables(db: Database, table: string): Promise<void> {
  const dead = `${table}__deleted`
  await db.ask(`
    CREATE TABLE ${db.name(table)} (
      _id text PRIMARY KEY, _doc jsonb NOT NULL, _version bigint NOT NULL,
      _ordinal bigint NOT NULL, _key bigint NOT NULL, _partition int NOT NULL);
    CREATE TABLE ${db.name(dead)} (
      _id text PRIMARY KEY, _version bigint NOT NULL, _ordinal bigint NOT NULL,
      _key bigint NOT NULL, _partition int NOT NULL, _at timestamptz NOT NULL DEFAULT now());
    CREATE INDEX ON ${db.name(dead)} (_at)`)
}

async function anyExists(db: Database, names: readonly string[]): Promise<boolean> {
  return (await existing(db, names)) > 0
}

async function allExist(db: Database, names: readonly string[]): Promise<boolean> {
  return (await existing(db, names)) === names.length
}

async function existing(db: Database, names: readonly string[]): Promise<number> {
  const query = 'SELECT count(to_regclass(name))::text AS n FROM unnest($1::text[]) AS name'
  const [row] = await db.ask(query, [names.map((name) => db.name(name))])
  return Number(row!.n)
}

function taken(db: Database, table: string, why: string): MillraceError {
  const fact = `The table ${table} in ${db.place} ${why}.`
  return new MillraceError('TARGET_MISCONFIGURED', `${fact} Name another with \`table\`.`)
}

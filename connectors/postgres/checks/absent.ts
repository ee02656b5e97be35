import type { Client } from 'pg'
import type { Finding } from '../../../src/core/plugin.ts'
import { describeTable, quoteTable, type TableName } from '../tables.ts'
import { error } from './finding.ts'

interface Relation extends TableName {
  readonly kind: string
  readonly persistence: string
  readonly isPartition: boolean
}

/** Why tables that are named cannot be read. */
export async function judgeAbsent(
  sql: Client,
  names: readonly string[],
): Promise<readonly Finding[]> {
  if (names.length === 0) return []
  const { rows } = await sql.query<Relation>(
    `SELECT n.nspname AS namespace, c.relname AS name, c.relkind AS kind,
            c.relpersistence AS persistence, c.relispartition AS "isPartition"
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname || '.' || c.relname = ANY ($1)`,
    [names],
  )
  const found = new Map(rows.map((relation) => [describeTable(relation), relation]))
  return names.map((name) => judge(name, found.get(name)))
}

function judge(name: string, relation: Relation | undefined): Finding {
  if (relation === undefined) {
    const hint = 'Create it, or take it out of the configuration; mind upper and lower case.'
    return error(`there is no table ${name}`, { hint })
  }
  const { kind, persistence, isPartition } = relation
  if (persistence === 'u') {
    const repair = [`ALTER TABLE ${quoteTable(relation)} SET LOGGED;`]
    return error(`${name} is unlogged: nothing of it is in the WAL`, { repair })
  }
  if (isPartition) {
    const hint = 'Name the partitioned table; its partitions come as its rows.'
    return error(`${name} is a partition`, { hint })
  }
  return error(`${name} is ${kinds[kind] ?? 'no table'}, which has no changes of its own`, {
    hint: 'Name the tables that it reads.',
  })
}

const kinds: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
  i: 'an index',
  p: 'a partitioned table, and its partitions are read each by itself',
}

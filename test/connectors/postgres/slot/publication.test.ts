import type { Client } from 'pg'
import { type Test, test } from 'tap'
import { connect } from '../../../../connectors/postgres/session.ts'
import {
  checkPublication,
  ensurePublication,
  type PublicationPlan,
} from '../../../../connectors/postgres/slot/publication.ts'
import { findTables, type Table } from '../../../../connectors/postgres/tables.ts'
import { usePostgres } from '../../../support/servers/use.ts'

const plan = (autocreate: PublicationPlan['autocreate'], viaRoot = true): PublicationPlan => ({
  ...{ publication: 'a "b"', autocreate, viaRoot },
})

test('filtered: made with the tables that are read, and widened by others later', async (t) => {
  const { sql, tables, published } = await prepared(t)
  t.equal(await ensurePublication(sql, plan('filtered'), tables.slice(0, 1)), 'created')
  t.strictSame(await published(), ['odd.O"dd'])
  t.equal(await ensurePublication(sql, plan('filtered'), tables), 'altered')
  t.strictSame(await published(), ['odd.O"dd', 'public.a'])
  t.equal(await ensurePublication(sql, plan('filtered'), tables), 'unchanged')
  await checkPublication(sql, 'a "b"', tables)
})

test('all_tables: what comes later is published too', async (t) => {
  const { sql, tables, published } = await prepared(t)
  t.equal(await ensurePublication(sql, plan('all_tables', false), tables), 'created')
  await sql.query('create table public.later (id int primary key)')
  t.match(await published(), ['odd.O"dd', 'public.a', 'public.later'])
  t.equal(await ensurePublication(sql, plan('all_tables', false), tables), 'unchanged')
  const { rows } = await sql.query('select pubviaroot from pg_publication')
  t.strictSame(rows, [{ pubviaroot: false }])
})

test('disabled: only checked, and the SQL is in the message', async (t) => {
  const { sql, tables, published } = await prepared(t)
  const sentence =
    'The publication a "b" does not exist, and publication.autocreate.mode is disabled. Run: CREATE PUBLICATION "a ""b""" FOR TABLE "odd"."O""dd", "public"."a" WITH (publish_via_partition_root = true)'
  await t.rejects(ensurePublication(sql, plan('disabled'), tables), {
    ...{ code: 'TARGET_MISCONFIGURED', message: sentence },
  })
  t.strictSame(await published(), [], 'nothing was made')
  await sql.query('create publication "a ""b""" for table public.a')
  await t.rejects(ensurePublication(sql, plan('disabled'), tables), {
    message: /lacks odd\.O"dd.*Run: ALTER PUBLICATION "a ""b""" ADD TABLE "odd"\."O""dd"$/,
  })
  await sql.query('alter publication "a ""b""" add table odd."O""dd"')
  t.equal(await ensurePublication(sql, plan('disabled'), tables), 'unchanged')
})

test('no_tables: made empty, for somebody else to fill', async (t) => {
  const { sql, tables, published } = await prepared(t)
  const fault = { code: 'TARGET_MISCONFIGURED', message: /lacks odd\.O"dd, public\.a/ }
  await t.rejects(ensurePublication(sql, plan('no_tables'), tables), fault)
  t.strictSame(await published(), [])
  await sql.query('alter publication "a ""b""" add table public.a, odd."O""dd"')
  t.equal(await ensurePublication(sql, plan('no_tables'), tables), 'unchanged')
})

async function prepared(t: Test) {
  const { url, query } = await usePostgres(t)
  await query(`create schema odd; create table odd."O""dd" (id int primary key);
    create table public.a (id int primary key)`)
  const sql: Client = await connect(url)
  t.teardown(() => sql.end())
  const all = { tables: [], selectsTable: () => true, viaRoot: true }
  const tables: Table[] = await findTables(sql, all)
  const published = async () => {
    const text = `select schemaname || '.' || tablename as name from pg_publication_tables order by 1`
    return (await query<{ name: string }>(text)).map(({ name }) => name)
  }
  return { sql, tables, published }
}

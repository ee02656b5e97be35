import type { Client } from 'pg'
import { describeError, MillraceError } from '../../src/core/errors.ts'
import type { Finding } from '../../src/core/plugin.ts'
import { type PostgresOptions, resolveOptions } from './options.ts'
import { connect } from './session.ts'
import { checkWalLevel } from './slot.ts'
import { describeTable, findTables, primaryKey, quoteTable, type Table } from './tables.ts'

/** Looks for what would go wrong later. Changes nothing. */
export async function* check(options: PostgresOptions): AsyncGenerator<Finding> {
  let sql: Client
  try {
    sql = await connect(options.url)
  } catch (error) {
    yield finding(error)
    return
  }
  try {
    await checkWalLevel(sql)
    yield { level: 'ok', what: 'wal_level is logical' }
    yield await checkRole(sql)
    for (const table of await findTables(sql, resolveOptions(options, '', '')))
      yield await checkTable(sql, table)
  } catch (error) {
    yield finding(error)
  } finally {
    await sql.end()
  }
}

async function checkRole(sql: Client): Promise<Finding> {
  const { rows } = await sql.query(
    'SELECT rolreplication OR rolsuper AS ok FROM pg_catalog.pg_roles WHERE rolname = current_user',
  )
  if (rows[0]?.ok) return { level: 'ok', what: 'the user may replicate' }
  const hint = 'ALTER ROLE … REPLICATION, as a superuser.'
  return { level: 'error', what: 'the user lacks the REPLICATION attribute', hint }
}

async function checkTable(sql: Client, table: Table): Promise<Finding> {
  const name = describeTable(table)
  const { rows } = await sql.query(
    'SELECT relreplident AS identity FROM pg_catalog.pg_class WHERE oid = $1',
    [table.oid],
  )
  const keyless = (await primaryKey(sql, table.oid)).length === 0
  if (keyless && 'dn'.includes(rows[0].identity)) {
    const hint = `Add a primary key, or ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY FULL.`
    const what = `${name} has no primary key: once it is published, UPDATE and DELETE on it fail`
    return { level: 'error', what, hint }
  }
  if (keyless) return { level: 'warning', what: `${name} has no primary key: no view can read it` }
  return { level: 'ok', what: `${name} has a primary key` }
}

function finding(error: unknown): Finding {
  if (!(error instanceof MillraceError)) return { level: 'error', what: describeError(error) }
  return { level: 'error', what: error.message, hint: error.hint }
}

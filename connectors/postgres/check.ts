import type { Client } from 'pg'
import { describeError, MillraceError } from '../../src/core/errors.ts'
import type { Finding, Named } from '../../src/core/plugin.ts'
import { judgeAbsent } from './checks/absent.ts'
import { error } from './checks/finding.ts'
import { findManaged } from './checks/managed.ts'
import { judgePublication } from './checks/publication.ts'
import { judgeRole, leastPrivileges, readRole } from './checks/role.ts'
import { judgeServer, readServerFacts } from './checks/server.ts'
import { judgeSlot } from './checks/slot.ts'
import { judgeTable, readTableFacts } from './checks/tables.ts'
import { type PostgresOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { addressOf, connect } from './session.ts'
import { describeTable, findTables } from './tables.ts'

/** Looks for what would go wrong later, and for the SQL that repairs it. Changes nothing. */
export async function* check(
  options: PostgresOptions,
  { pipeline, name }: Named = { pipeline: '', name: '' },
): AsyncGenerator<Finding> {
  const resolved = resolveOptions(options, pipeline, name)
  let sql: Client
  try {
    sql = await connect(resolved.url)
  } catch (fault) {
    yield unreachable(fault, resolved)
    return
  }
  try {
    yield* examine(sql, resolved)
  } catch (fault) {
    yield told(fault)
  } finally {
    await sql.end()
  }
}

async function* examine(sql: Client, options: ResolvedOptions): AsyncGenerator<Finding> {
  const { slot, publication, viaRoot, life, selectsTable } = options
  const managed = await findManaged(sql)
  const facts = await readServerFacts(sql, slot)
  yield* judgeServer(facts, managed)
  const role = await readRole(sql)
  yield judgeRole(role, managed)
  const found = await findTables(sql, { tables: [], selectsTable, viaRoot })
  const names = new Set(found.map(describeTable))
  const absent = options.tables.filter((name) => !names.has(name))
  yield* await judgeAbsent(sql, absent)
  if (found.length === 0) yield error('no table is selected', { hint: 'See `tables`.' })
  const tables = await readTableFacts(sql, found)
  for (const table of tables) yield* judgeTable(table, role.name)
  const plan = { publication, viaRoot, autocreate: life.autocreate }
  if (tables.length > 0) yield* await judgePublication(sql, { plan, role }, tables)
  const { database } = addressOf(options.url)
  const { failover, adopt } = life
  const { version } = facts
  yield* await judgeSlot(sql, { slot, database, failover, adopt, version })
}

/** Who cannot connect may lack the role altogether. */
function unreachable(fault: unknown, { url, tables }: ResolvedOptions): Finding {
  const finding = told(fault)
  if (!(fault instanceof MillraceError) || fault.code !== 'ACCESS_DENIED') return finding
  const { user, database } = addressOf(url)
  const named = tables.map((table) => table.split(/\.(.*)/s).slice(0, 2) as [string, string])
  return { ...finding, repair: leastPrivileges(user, database, named) }
}

function told(fault: unknown): Finding {
  if (!(fault instanceof MillraceError)) return error(describeError(fault))
  return error(fault.message, { hint: fault.hint })
}

import type { Client } from 'pg'
import type { Finding } from '../../../src/core/plugin.ts'
import { quoteName } from '../session.ts'
import {
  addTables,
  createPublication,
  findPublication,
  missingTables,
  type Publication,
  type PublicationPlan,
} from '../slot/publication.ts'
import { describeTable } from '../tables.ts'
import { error, ok, warning } from './finding.ts'
import type { Role } from './role.ts'
import type { TableFacts } from './tables.ts'

/** Whether the publication is there and complete, or can be made. */
export async function judgePublication(
  sql: Client,
  { plan, role }: { readonly plan: PublicationPlan; readonly role: Role },
  tables: readonly TableFacts[],
): Promise<readonly Finding[]> {
  const found = await findPublication(sql, plan.publication)
  if (found === undefined) return [judgeMaking(plan, role, tables)]
  const missing = await missingTables(sql, found, tables)
  return [judgeTables({ plan, role, found }, missing), ...judgeOptions(plan, found, tables)]
}

/** The SQL is for who owns the tables; with it, the role of the connector need own nothing. */
function judgeMaking(plan: PublicationPlan, role: Role, tables: readonly TableFacts[]): Finding {
  const { publication, autocreate } = plan
  const repair = [`${createPublication({ ...plan, autocreate: 'filtered' }, tables)};`]
  const missing = `there is no publication ${publication}`
  if (autocreate === 'disabled' || autocreate === 'no_tables') {
    const hint = `publication.autocreate.mode is ${autocreate}: its tables are yours to name.`
    return error(missing, { hint, repair })
  }
  const hint = 'Let who owns the tables make it.'
  if (autocreate === 'all_tables') {
    return role.isSuperuser
      ? ok(`publication ${publication} is made at the first start`)
      : error(`${missing}, and only a superuser may make one for all tables`, { repair, hint })
  }
  const foreign = tables.filter(({ isOwned }) => !isOwned && !role.isSuperuser)
  if (role.mayCreate && foreign.length === 0) {
    return ok(`publication ${publication} is made at the first start`)
  }
  const reason = role.mayCreate
    ? `does not own ${foreign.map(describeTable).join(', ')}`
    : 'lacks CREATE on the database'
  return error(`${missing}, and the role ${role.name} may not make it: it ${reason}`, {
    ...{ hint, repair },
  })
}

function judgeTables(
  { plan, role, found }: { plan: PublicationPlan; role: Role; found: Publication },
  missing: readonly TableFacts[],
): Finding {
  const { publication, autocreate } = plan
  if (missing.length === 0) return ok(`publication ${publication} has all tables`)
  const names = missing.map(describeTable).join(', ')
  const owns = found.isOwned && missing.every(({ isOwned }) => isOwned)
  if (autocreate === 'filtered' && (role.isSuperuser || owns)) {
    return ok(`publication ${publication} lacks ${names}, to be added at the first start`)
  }
  const repair = [`${addTables(publication, missing)};`]
  return error(`publication ${publication} lacks ${names}`, { repair })
}

function* judgeOptions(
  { publication, viaRoot }: PublicationPlan,
  found: Publication,
  tables: readonly TableFacts[],
): Generator<Finding> {
  const alter = `ALTER PUBLICATION ${quoteName(publication)} SET`
  if (found.leavesOut.length > 0) {
    const what = `publication ${publication} leaves out every ${found.leavesOut.join(' and ')}`
    yield warning(what, { repair: [`${alter} (publish = 'insert, update, delete, truncate');`] })
  }
  if (found.viaRoot !== viaRoot && tables.some(({ kind }) => kind === 'p')) {
    const what = `publication ${publication} has publish_via_partition_root = ${found.viaRoot}, but publish.via.partition.root is ${viaRoot}`
    yield error(what, { repair: [`${alter} (publish_via_partition_root = ${viaRoot});`] })
  }
}

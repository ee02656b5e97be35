import type { Client } from 'pg'
import type { Finding } from '../../../src/core/plugin.ts'
import { quoteName } from '../session.ts'
import { error, ok } from './finding.ts'
import { grantReplication, type Managed } from './managed.ts'

export interface Role {
  readonly name: string
  readonly isSuperuser: boolean
  readonly mayReplicate: boolean
  /** May make publications in the database. */
  readonly mayCreate: boolean
}

export async function readRole(sql: Client): Promise<Role> {
  const { rows } = await sql.query(
    `SELECT rolname AS name, rolsuper AS "isSuperuser",
            rolreplication OR rolsuper OR coalesce((SELECT pg_has_role(r.oid, 'MEMBER')
              FROM pg_catalog.pg_roles r WHERE r.rolname = 'rds_replication'), false)
              AS "mayReplicate",
            has_database_privilege(current_database(), 'CREATE') AS "mayCreate"
       FROM pg_catalog.pg_roles WHERE rolname = current_user`,
  )
  return rows[0]
}

export function judgeRole(role: Role, managed: Managed | undefined): Finding {
  if (role.mayReplicate) return ok(`the role ${role.name} may replicate`)
  const repair = [grantReplication(managed, quoteName(role.name))]
  return error(`the role ${role.name} may not replicate`, { repair })
}

/** All that a role needs to read tables, for one that cannot even connect yet. */
export function leastPrivileges(
  role: string,
  database: string,
  tables: readonly (readonly [schema: string, name: string])[],
): string[] {
  const name = quoteName(role)
  const schemas = [...new Set(tables.map(([schema]) => schema))]
  const listed = tables.map((table) => table.map(quoteName).join('.')).join(', ')
  return [
    `CREATE ROLE ${name} LOGIN REPLICATION; -- give it a password with \\password`,
    `GRANT CONNECT ON DATABASE ${quoteName(database)} TO ${name};`,
    ...schemas.map((schema) => `GRANT USAGE ON SCHEMA ${quoteName(schema)} TO ${name};`),
    ...(tables.length > 0 ? [`GRANT SELECT ON TABLE ${listed} TO ${name};`] : []),
  ]
}

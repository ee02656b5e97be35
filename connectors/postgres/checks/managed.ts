import type { Client } from 'pg'

/** Where somebody else runs the server, settings are changed in a console, not by SQL. */
export type Managed = 'rds' | 'cloudsql' | 'azure' | 'supabase' | 'neon'

/** Roles that only the services have. */
const roles: Readonly<Record<string, Managed>> = {
  rds_superuser: 'rds',
  cloudsqlsuperuser: 'cloudsql',
  azure_pg_admin: 'azure',
  supabase_admin: 'supabase',
  neon_superuser: 'neon',
}

export async function findManaged(sql: Client): Promise<Managed | undefined> {
  const { rows } = await sql.query<{ name: string }>(
    'SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolname = ANY ($1) ORDER BY 1',
    [Object.keys(roles)],
  )
  return rows[0] && roles[rows[0].name]
}

export const productNames: Readonly<Record<Managed, string>> = {
  rds: 'Amazon RDS or Aurora',
  cloudsql: 'Google Cloud SQL',
  azure: 'Azure Database for PostgreSQL',
  supabase: 'Supabase',
  neon: 'Neon',
}

/** How logical replication is turned on there. */
export const walLevelHints: Readonly<Record<Managed, string>> = {
  rds: 'Set rds.logical_replication = 1 in the parameter group, and reboot.',
  cloudsql: 'Set the flag cloudsql.logical_decoding = on; it restarts the instance.',
  azure: 'Set the server parameter wal_level = logical, and restart.',
  supabase: 'It is on by default: is this the direct connection of the project?',
  neon: 'Enable logical replication in the settings of the project.',
}

/** How a role gets the right to replicate: the attribute itself is often out of reach there. */
export function grantReplication(managed: Managed | undefined, role: string): string {
  return managed === 'rds' ? `GRANT rds_replication TO ${role};` : `ALTER ROLE ${role} REPLICATION;`
}

/** A setting of the server by SQL, or where it is set on a managed one. */
export function settingAdvice(
  managed: Managed | undefined,
  name: string,
  value: string,
): { readonly hint: string; readonly repair?: readonly string[] } {
  if (managed !== undefined) {
    return { hint: `Set ${name} to ${value} in the settings of ${productNames[managed]}.` }
  }
  return { hint: restartHint(name), repair: [`ALTER SYSTEM SET ${name} = '${value}';`] }
}

function restartHint(name: string): string {
  return name === 'max_slot_wal_keep_size'
    ? 'Then SELECT pg_reload_conf().'
    : 'Then restart the server.'
}

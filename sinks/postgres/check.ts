import { MillraceError } from '../../src/core/errors.ts'
import type { Finding } from '../../src/core/plugin.ts'
import { Database } from './database.ts'
import type { PostgresSinkOptions } from './options.ts'

/** Whether the database answers, takes writes, and lets us make tables in the schema. */
export async function* check(options: PostgresSinkOptions): AsyncGenerator<Finding> {
  const db = new Database(options, 'millrace/check')
  try {
    await db.connect()
    const [server] = await db.ask(
      `SELECT current_setting('server_version') AS version, pg_is_in_recovery()::text AS replica,
         (to_regnamespace($1) IS NOT NULL)::text AS there,
         coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'CREATE, USAGE'), false)::text AS may`,
      [`"${options.schema.replaceAll('"', '""')}"`],
    )
    yield { level: 'ok', what: `PostgreSQL ${server!.version} at ${db.place}` }
    yield* judge(options.schema, server!)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    yield { level: 'error', what: error.message, hint: error.hint }
  } finally {
    await db.close()
  }
}

function* judge(
  schema: string,
  { replica, there, may }: Readonly<Record<string, string | null>>,
): Generator<Finding> {
  if (replica === 'true') {
    yield { level: 'error', what: 'the server is a standby', hint: 'Name the primary.' }
  }
  if (there !== 'true') {
    const hint = `CREATE SCHEMA "${schema}"`
    yield { level: 'error', what: `the schema ${schema} does not exist`, hint }
  } else if (may !== 'true') {
    const hint = `GRANT CREATE, USAGE ON SCHEMA "${schema}" TO the user`
    yield { level: 'error', what: `the user may not make tables in ${schema}`, hint }
  } else yield { level: 'ok', what: `the user may make tables in ${schema}` }
}

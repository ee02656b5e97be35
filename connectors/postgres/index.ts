import type { ConnectorPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { readColumns } from './columns.ts'
import { type PostgresOptions, postgresOptions } from './options.ts'
import { PostgresSource } from './source.ts'

/** Reads a Postgres database through logical replication. */
export const postgres: ConnectorPlugin<PostgresOptions> = {
  type: 'postgres',
  options: postgresOptions,
  check,
  columns: readColumns,
  open: (options, context) => new PostgresSource(options, context),
}

import type { SinkPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { placeOf } from './database.ts'
import { options, type PostgresSinkOptions } from './options.ts'
import { PostgresReading } from './reading.ts'
import { PostgresSink } from './sink.ts'
import { shapeOf } from './tables.ts'

/** A table of a PostgreSQL, with a column for each of the rows' and the documents as jsonb. */
export const postgresSink: SinkPlugin<PostgresSinkOptions> = {
  type: 'postgres',
  options,
  check,
  owns: (options, { topic }) =>
    `the table ${options.schema}.${shapeOf(options, topic).table} at ${placeOf(options)}`,
  open: (options, context) => new PostgresSink(options, context),
  read: (options, context) => new PostgresReading(options, context),
}

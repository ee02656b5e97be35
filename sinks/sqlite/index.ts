import type { SinkPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { options, type SqliteOptions } from './options.ts'
import { SqliteReading } from './reading.ts'
import { SqliteSink } from './sink.ts'
import { shapeOf } from './tables.ts'

/** A table of JSON documents in a SQLite file, with indexed columns and full-text search. */
export const sqlite: SinkPlugin<SqliteOptions> = {
  type: 'sqlite',
  options,
  check,
  owns: (options, { topic }) => `the table ${shapeOf(options, topic).table} of ${options.path}`,
  open: (options, context) => new SqliteSink(options, context),
  read: (options, context) => new SqliteReading(options, context),
}

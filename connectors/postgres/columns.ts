import type { Named } from '../../src/core/plugin.ts'
import { type PostgresOptions, resolveOptions } from './options.ts'
import { connect } from './session.ts'
import { findTables, readRelation } from './tables.ts'
import { Relations } from './wal/relations.ts'

/** By topic, the columns that its rows have, as the tables are now. */
export async function readColumns(
  options: PostgresOptions,
  { pipeline, name }: Named,
  topics: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const resolved = resolveOptions(options, pipeline, name)
  const { selectsTable, viaRoot, naming } = resolved
  const sql = await connect(resolved.url)
  try {
    const relations = new Relations(resolved, async () => sql)
    const columns = new Map<string, readonly string[]>()
    for (const table of await findTables(sql, { tables: [], selectsTable, viaRoot })) {
      const { topic } = naming.placeOf(table)
      if (!topics.includes(topic)) continue
      const { shape, schema, key } = await relations.define(await readRelation(sql, table))
      // What becomes of a reshaped record, such as one of an outbox, is not told by the table.
      if (shape !== undefined) continue
      // A key may have columns that rows have not.
      const names = [...schema.columns, ...key].map((column) => column.name)
      columns.set(topic, [...new Set([...(columns.get(topic) ?? []), ...names])])
    }
    return columns
  } finally {
    await sql.end()
  }
}

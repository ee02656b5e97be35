import type { OpenRecord } from '../wal/envelope-writer.ts'

/**
 * What becomes of a record with Debezium's envelope before it goes out; `undefined`: nothing. Made
 * once for a table as it is from one Relation message to the next.
 */
export type Shape = (record: OpenRecord) => OpenRecord | undefined

/** The records of one commit. Each topic's last one ends it. */
export function shapeCommit(records: readonly OpenRecord[], shape: Shape): OpenRecord[] {
  const shaped = records.flatMap((record) => shape(record) ?? [])
  const last = new Map(shaped.map((record) => [record.topic, record]))
  for (const record of shaped) record.endsCommit = last.get(record.topic) === record
  return shaped
}

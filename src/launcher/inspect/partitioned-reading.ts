import type { Reading, StoredDocument } from '../../core/reading.ts'
import type { LogRecord } from '../../core/record.ts'
import type { Position } from '../../core/source.ts'

/** How far a sink has come, by partition. */
export type Checkpoints = ReadonlyMap<number, Position | null>

/** What a sink has written from all partitions of a topic. */
export interface PartitionedReading extends Omit<Reading, 'checkpoint' | 'tellsAll'> {
  checkpoints(): Promise<Checkpoints>
}

/** Joins the readings of a sink's partitions, in their order. */
export function joinReadings(readings: readonly [Reading, ...Reading[]]): PartitionedReading {
  const [first] = readings
  const apart = first.tellsAll ? [first] : readings
  const { idOf, expires, keepsDeleted, tellsDeletes } = first
  return {
    ...{ idOf, expires },
    ...(keepsDeleted !== undefined && { keepsDeleted }),
    ...(tellsDeletes !== undefined && { tellsDeletes }),
    ...(first.statesOf && { statesOf: (record: LogRecord) => first.statesOf!(record) }),
    ...(first.render && { render: (body: Uint8Array) => first.render!(body) }),
    keyOf: (id) => first.keyOf(id),
    async checkpoints() {
      const positions = await Promise.all(readings.map((each) => each.checkpoint()))
      return new Map(positions.entries())
    },
    async count() {
      const counts = await Promise.all(apart.map((each) => each.count()))
      return counts.reduce((sum, count) => sum + count, 0)
    },
    async *all() {
      for (const each of apart) yield* each.all()
    },
    async some(ids) {
      const found = await Promise.all(apart.map((each) => each.some(ids)))
      return newest(found.flat())
    },
    async close() {
      for (const each of readings) await each.close()
    },
  }
}

/** A document whose record has come to another partition may be known to two. */
function newest(documents: readonly StoredDocument[]): readonly StoredDocument[] {
  const byId = new Map<string, StoredDocument>()
  for (const document of documents) {
    const known = byId.get(document.id)
    if (known === undefined || known.version < document.version) byId.set(document.id, document)
  }
  return [...byId.values()]
}

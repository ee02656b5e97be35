import type { LogRecord } from '../../core/record.ts'
import type { Inspection } from '../../log/inspection.ts'
import type { SinkPart } from '../run/pipeline.ts'
import { writeThrough } from '../run/write-through.ts'
import type { Item } from './control.ts'

/** What became of one item, in the words of the sink; `refused` and why. */
export interface Mended {
  readonly outcome: string
  readonly reason?: string
}

/** Has a sink write records of its topic again, and delete what the topic knows nothing of. */
export async function* mend(
  { part, log }: { readonly part: SinkPart; readonly log: Inspection },
  items: readonly Item[],
  signal: AbortSignal,
): AsyncGenerator<Mended> {
  const topic = part.topics[0]!
  const records = await Promise.all(
    items.map(async (item, i) => {
      if ('key' in item) return tombstone(log, topic, { ...item, ordinal: i })
      const { partition, sequence, offset } = item
      const place = { partition, sequence: BigInt(sequence), offset: BigInt(offset) }
      return log.recordAt(topic, place)
    }),
  )
  const found = records.filter((record) => record !== undefined)
  const outcomes = found.length === 0 ? [] : await writeThrough(part, found, signal)
  const rest = [...outcomes]
  for (const record of records) {
    const outcome = record === undefined ? 'gone' : rest.shift()!
    if (typeof outcome === 'string') yield { outcome }
    else yield { outcome: 'refused', reason: `${outcome.code}: ${outcome.reason}` }
  }
}

/** A delete that no topic holds. Its place is made up: before all offsets. */
async function tombstone(
  log: Inspection,
  topic: string,
  deleted: { readonly key: string; readonly version: string; readonly ordinal: number },
): Promise<LogRecord> {
  const key = Buffer.from(deleted.key, 'base64')
  return {
    topic,
    partition: await log.partitionOf(topic, key),
    offset: -1n,
    sequence: 0n,
    key,
    value: null,
    timestamp: Date.now(),
    version: BigInt(deleted.version),
    ordinal: deleted.ordinal,
    endsCommit: true,
  }
}

import type { LogRecord } from '../../core/record.ts'
import type { EmbeddedLog } from '../../log/embedded.ts'
import { recordAt } from '../../log/scan.ts'
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
  { part, log }: { readonly part: SinkPart; readonly log: EmbeddedLog },
  items: readonly Item[],
  signal: AbortSignal,
): AsyncGenerator<Mended> {
  const topic = part.topics[0]!
  const records = items.map((item, i) =>
    'key' in item
      ? tombstone(topic, item, i)
      : recordAt(log, topic, { sequence: item.sequence, offset: BigInt(item.offset) }),
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
function tombstone(
  topic: string,
  { key, version }: Extract<Item, { readonly key: string }>,
  ordinal: number,
): LogRecord {
  return {
    topic,
    partition: 0,
    offset: -1n,
    sequence: 0n,
    key: Buffer.from(key, 'base64'),
    value: null,
    timestamp: Date.now(),
    version: BigInt(version),
    ordinal,
    endsCommit: true,
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../../src/core/log.ts'
import type { LogRecord, NewRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Batch, Position, Source } from '../../../src/core/source.ts'

/** A record of one commit; what is left out follows from its number. */
export function change(topic: string, number: number, parts: Partial<NewRecord> = {}): NewRecord {
  return {
    topic,
    key: Buffer.from(`{"id":${number}}`),
    value: Buffer.from(`{"n":${number}}`),
    timestamp: 1_700_000_000_000 + number,
    version: BigInt(number + 1),
    ordinal: 0,
    endsCommit: true,
    ...parts,
  }
}

export function batchOf(records: readonly NewRecord[], complete = true): Batch<NewRecord> {
  return { records, position: '' as Position, complete }
}

/** Writes and commits, with the position as text. */
export async function append(
  sink: Sink<NewRecord>,
  records: readonly NewRecord[],
  position: string,
): Promise<void> {
  await sink.write(batchOf(records))
  await sink.commit({ source: 's', position: position as Position, timestamp: 0 })
}

/** So many records, from a position on. */
export async function take(
  source: Source<LogRecord>,
  count: number,
  from?: Position,
): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  if (count === 0) return records
  for await (const batch of source.read(from, new AbortController().signal)) {
    records.push(...batch.records)
    if (records.length >= count) return records
  }
  return records
}

export function texts(records: readonly { readonly value: Uint8Array | null }[]): string[] {
  return records.map(({ value }) => Buffer.from(value ?? []).toString())
}

/** The first assignment of a group; it stands until the log is closed. */
export async function firstAssignment(log: Log, topics: readonly string[], group: string) {
  const forever = new AbortController().signal
  const { value } = await log.assignments(topics, group, forever)[Symbol.asyncIterator]().next()
  if (value === undefined) throw new Error('no assignment')
  return value
}

/** Waits until something is so; gives up after 30 s, with what is so instead. */
export async function until(isSo: () => boolean, describe = () => ''): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`it did not come about: ${describe()}`)
    await sleep(20)
  }
}

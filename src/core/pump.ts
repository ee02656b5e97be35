import type { Meter } from './meter.ts'
import { readAhead } from './read-ahead.ts'
import type { Outcome, Refusal, Sink } from './sink.ts'
import type { Position, Source } from './source.ts'

/** A record and why its target refused it. */
export interface Refused<T> extends Refusal {
  readonly record: T
}

export interface Pipe<T> {
  readonly source: Source<T>
  readonly sink: Sink<T>
  /** Keeps refused records for a person to look at, durably. */
  readonly deadLetters: (refused: readonly Refused<T>[]) => Promise<void>
  readonly meter: Meter
  /**
   * How often a sink that has nothing to write commits again where it stands: so a target that was
   * flushed or deleted meanwhile is noticed, and filled again, although nothing new comes.
   */
  readonly idleMs?: number
}

/**
 * Moves records from a source to a sink until aborted.
 *
 * The order of the steps is the delivery guarantee: write, keep the refused, commit, acknowledge. A
 * crash between any two of them repeats work; it never loses a record. Recovery is therefore just
 * starting again.
 */
export async function pump<T extends { readonly timestamp: number }>(
  { source, sink, deadLetters, meter, idleMs }: Pipe<T>,
  signal: AbortSignal,
): Promise<void> {
  const from = await resume(source, sink)
  let timestamp = 0
  let position = from
  for await (const batch of readAhead((signal) => source.read(from, signal), signal, idleMs)) {
    if (batch === undefined) {
      if (position) await sink.commit({ source: source.name, position, timestamp })
      continue
    }
    meter.state = 'running'
    meter.reason = null
    const outcomes = await sink.write(batch)
    const refused = refusals(batch.records, outcomes)
    if (refused.length > 0) await deadLetters(refused)
    timestamp = batch.records.at(-1)?.timestamp ?? timestamp
    position = batch.position
    await sink.commit({ source: source.name, position, timestamp })
    source.ack(position)
    meter.count(outcomes)
    meter.timestamp = timestamp
  }
}

async function resume<T>(source: Source<T>, sink: Sink<T>): Promise<Position | undefined> {
  const from = await sink.resume(source.name)
  if (from === undefined || (await source.knows(from))) return from
  await sink.clear(source.name)
  return undefined
}

function refusals<T>(records: readonly T[], outcomes: readonly Outcome[]): Refused<T>[] {
  const refused: Refused<T>[] = []
  for (let i = 0; i < outcomes.length; i++) {
    const outcome = outcomes[i]!
    if (typeof outcome !== 'string') refused.push({ record: records[i]!, ...outcome })
  }
  return refused
}

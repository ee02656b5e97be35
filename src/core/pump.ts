import type { Meter } from './meter.ts'
import { lastTimestamp } from './packed-records.ts'
import { type Gathering, readAhead } from './read-ahead.ts'
import type { Checkpoint, Outcome, Refusal, Sink } from './sink.ts'
import type { Batch, Position, Source } from './source.ts'

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
  /** How batches are joined that have come meanwhile. By default each is written by itself. */
  readonly gathering?: () => Gathering<Batch<T>>
}

/**
 * Moves records from a source to a sink until aborted.
 *
 * The order of the steps is the delivery guarantee: write, keep the refused, commit, acknowledge. A
 * crash between any two of them repeats work; it never loses a record. Recovery is therefore just
 * starting again. Where a sink allows it, the next batch is written while this one is committed.
 */
export async function pump<T extends { readonly timestamp: number }>(
  pipe: Pipe<T>,
  signal: AbortSignal,
): Promise<void> {
  const { source, sink, deadLetters, meter, idleMs } = pipe
  await source.claim?.(signal)
  if (signal.aborted) return
  const from = await resume(source, sink)
  meter.resumed(from, source)
  const ahead = { idleMs, gathering: pipe.gathering?.() }
  let timestamp = 0
  let position = from
  let committed = Promise.resolve()
  try {
    for await (const batch of readAhead((signal) => source.read(from, signal), signal, ahead)) {
      if (batch === undefined) {
        await committed
        if (position) await sink.commit({ source: source.name, position, timestamp })
        continue
      }
      meter.state = 'running'
      meter.reason = null
      const outcomes = await sink.write(batch)
      const refused = refusals(batch.records, outcomes)
      if (refused.length > 0) await deadLetters(refused)
      timestamp = lastTimestamp(batch.records) ?? timestamp
      position = batch.position
      await committed
      committed = commit(pipe, { source: source.name, position, timestamp }, outcomes)
      committed.catch(() => {}) // Reported by the `await`, later.
      if (!sink.overlaps) await committed
    }
    await committed
  } finally {
    await committed.catch(() => {}) // Nothing may be under way when the sink resumes again.
  }
}

async function commit<T>(
  { source, sink, meter }: Pipe<T>,
  checkpoint: Checkpoint,
  outcomes: readonly Outcome[],
): Promise<void> {
  meter.committing(checkpoint.position, outcomes, source)
  await sink.commit(checkpoint)
  source.ack(checkpoint.position)
  meter.committed(source)
  meter.timestamp = checkpoint.timestamp
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

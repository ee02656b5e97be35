import { setTimeout as sleep } from 'node:timers/promises'
import type { LogRecord } from '../../core/record.ts'
import type { Outcome } from '../../core/sink.ts'
import { CommandFailure } from '../exit.ts'
import type { SinkPart } from './pipeline.ts'

/** How often it is looked whether the sink still runs. */
const lookEveryMs = 100

/**
 * Has a running sink write records, each of a key of its own. Throws once it is clear that the sink
 * does not get to it: it is paused, has failed, or another process reads the partition.
 */
export async function writeThrough(
  part: SinkPart,
  records: readonly LogRecord[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const outcomes = new Array<Outcome>(records.length)
  for (const [partition, places] of Map.groupBy(records.keys(), (i) => records[i]!.partition)) {
    const some = places.map((i) => records[i]!)
    const written = await writePartition(part, partition, { records: some, signal })
    for (const [i, place] of places.entries()) outcomes[place] = written[i]!
  }
  return outcomes
}

async function writePartition(
  { name, meter, errands: byPartition }: SinkPart,
  partition: number,
  { records, signal }: { readonly records: readonly LogRecord[]; readonly signal: AbortSignal },
): Promise<readonly Outcome[]> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  const errands = byPartition.get(partition)
  if (errands === undefined) throw new CommandFailure(notHere())
  const written = errands.write(records, either)
  const watching = watch()
  try {
    return await written
  } finally {
    stop.abort()
    await watching
  }

  async function watch(): Promise<void> {
    while (!either.aborted) {
      if (isStill()) stop.abort(new CommandFailure(stillness()))
      else if (byPartition.get(partition) !== errands) stop.abort(new CommandFailure(notHere()))
      await sleep(lookEveryMs, undefined, { signal: either }).catch(() => {})
    }
  }

  function isStill(): boolean {
    return meter.state === 'paused' || meter.state === 'failed'
  }

  function stillness(): string {
    return `${name} is ${meter.state}: ${meter.reason ?? ''}`
  }

  function notHere(): string {
    if (isStill()) return stillness()
    return `${name}: this process does not read partition ${partition}: ask the one that does`
  }
}

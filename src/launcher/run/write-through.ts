import { setTimeout as sleep } from 'node:timers/promises'
import type { LogRecord } from '../../core/record.ts'
import type { Outcome } from '../../core/sink.ts'
import { CommandFailure } from '../exit.ts'
import type { SinkPart } from './pipeline.ts'

/** How often it is looked whether the sink still runs. */
const lookEveryMs = 100

/**
 * Has a running sink write records, each of a key of its own. Throws once it is clear that the sink
 * does not get to it: it is paused, or has failed.
 */
export async function writeThrough(
  { name, meter, errands }: SinkPart,
  records: readonly LogRecord[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
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
      if (meter.state === 'paused' || meter.state === 'failed') {
        stop.abort(new CommandFailure(`${name} is ${meter.state}: ${meter.reason ?? ''}`))
      }
      await sleep(lookEveryMs, undefined, { signal: either }).catch(() => {})
    }
  }
}

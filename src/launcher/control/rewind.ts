import type { Position } from '../../core/source.ts'
import { encodePosition, startOf } from '../../log/position.ts'
import type { Readable } from '../../log/readable.ts'
import { positionOfBeginning, positionSince, scanTopic } from '../../log/scan.ts'
import { CommandFailure } from '../exit.ts'

/** Where to go back to: the beginning, the end, a time in ms since 1970, or a sequence. */
export type RewindTo =
  | 'beginning'
  | 'end'
  | { readonly time: number }
  | { readonly sequence: number }

/** The position meant, of a reader of these topics. Throws if no record is as new as the time. */
export async function positionFor(
  log: Readable,
  topics: readonly string[],
  to: RewindTo,
): Promise<Position> {
  if (to === 'beginning') return positionOfBeginning(log)
  if (to === 'end') return at(log, log.head)
  if ('sequence' in to) {
    if (to.sequence > log.head) {
      throw new CommandFailure(`the log has come to sequence ${log.head}, not to ${to.sequence}`)
    }
    return withoutGap(log, topics, to.sequence)
  }
  const since = await positionSince(log, topics, to.time)
  if (since === undefined) {
    throw new CommandFailure(`no record of ${topics.join(', ')} is as new as that`)
  }
  return withoutGap(log, topics, Number(since.split(':')[1]))
}

/** How many records there are from a sequence on. */
export async function countFrom(
  log: Readable,
  topics: readonly string[],
  from: number,
): Promise<number> {
  let count = 0
  for (const topic of topics) {
    for await (const _ of scanTopic(log, topic, { from, end: log.visible([topic]) })) count++
  }
  return count
}

/** Where something was removed since, reading begins at the beginning: more than asked for. */
function withoutGap(log: Readable, topics: readonly string[], sequence: number): Position {
  const floor = Math.max(...topics.map((topic) => log.lanes.get(topic)?.floor ?? 0))
  return sequence < floor ? positionOfBeginning(log) : at(log, sequence)
}

function at(log: Readable, sequence: number): Position {
  return encodePosition({ start: startOf(log.history, sequence), sequence, ordinal: 0 })
}

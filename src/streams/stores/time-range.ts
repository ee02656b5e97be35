import type { OrderedSpace, Parts } from './ordered-space.ts'
import { timeOf, timePrefixes } from './time-text.ts'

/** Entries that begin with these parts and then have a time from one to another, in order. */
export function* timeRange(
  space: OrderedSpace,
  first: Parts,
  from: number,
  to: number,
): Generator<readonly [time: number, parts: Parts, text: string]> {
  const least = Math.max(0, from)
  if (to < least) return
  for (const prefix of timePrefixes(least, to)) {
    for (const [parts, text] of space.scan(first, prefix)) {
      const time = timeOf(parts[first.length]!)
      if (time > to) return
      if (time >= least) yield [time, parts, text]
    }
  }
}

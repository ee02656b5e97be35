/** So many hex digits hold every millisecond of the next 8,000 years. */
const width = 12

/** A time as text whose order is that of times. Times before 1970 have no place in state. */
export function timeText(ms: number): string {
  return Math.max(0, ms).toString(16).padStart(width, '0')
}

export function timeOf(text: string): number {
  return Number.parseInt(text, 16)
}

/**
 * What texts of times begin with, so that together they hold all times from one to another, in
 * order: at most two, and less than 32 times as many times as asked for.
 */
export function timePrefixes(from: number, to: number): readonly string[] {
  let digits = 0
  for (let times = 1; times <= to - from; times *= 16) digits++
  const [first, last] = [timeText(from), timeText(to)].map((text) => text.slice(0, width - digits))
  return first === last ? [first!] : [first!, last!]
}

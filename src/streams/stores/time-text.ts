/** So many hex digits hold every millisecond of the next 8,000 years. */
const width = 12

/** A time as text whose order is that of times. Times before 1970 have no place in state. */
export function timeText(ms: number): string {
  return Math.max(0, ms).toString(16).padStart(width, '0')
}

export function timeOf(text: string): number {
  return Number.parseInt(text, 16)
}

/** What the texts of all times from one to another begin with. */
export function commonPrefix(from: number, to: number): string {
  const first = timeText(from)
  const last = timeText(to)
  let length = 0
  while (length < width && first[length] === last[length]) length++
  return first.slice(0, length)
}

import type { Position } from '../core/source.ts'

/**
 * A place in the embedded log: what comes next is the record with this sequence and at least this
 * ordinal, or a later sequence. As text `<start>:<sequence>:<ordinal>`, where `start` names the
 * start of the program under which the record before the place was written: so a copy of a log that
 * went on by itself is told from the original.
 */
export interface Place {
  readonly start: string
  readonly sequence: number
  readonly ordinal: number
}

export function encodePosition({ start, sequence, ordinal }: Place): Position {
  return `${start}:${sequence}:${ordinal}` as Position
}

/** `undefined` if the text is no position of an embedded log. */
export function decodePosition(position: Position): Place | undefined {
  const [, start, sequence, ordinal] = /^([0-9a-f]+):(\d+):(\d+)$/.exec(position) ?? []
  if (start === undefined) return undefined
  return { start, sequence: Number(sequence), ordinal: Number(ordinal) }
}

/** One start of the program: an id of its own, and the first sequence it could write. */
export interface Start {
  readonly id: string
  readonly from: number
}

/** Names the start under which the record before `sequence` was written. */
export function startOf(history: readonly Start[], sequence: number): string {
  const start = history.findLast(({ from }) => from < sequence) ?? history[0]
  return start?.id ?? '0'
}

/** Whether a place lies in this log's history: its start wrote that far, and not less. */
export function isInHistory(history: readonly Start[], place: Place, end: number): boolean {
  const index = history.findIndex(({ id }) => id === place.start)
  if (index < 0) return false
  const until = history[index + 1]?.from ?? end
  return place.sequence <= until
}

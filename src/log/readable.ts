import type { Position } from '../core/source.ts'
import type { Environment } from './environment.ts'
import type { Lanes } from './lanes.ts'
import type { Start } from './position.ts'

/** What a reader needs of an embedded log: written by this process, or by another. */
export interface Readable {
  readonly environment: Environment
  readonly lanes: Lanes
  readonly history: readonly Start[]
  /** Every sequence below is durable. */
  readonly head: number
  /** The sequence up to which (exclusive) these topics may be read: no commit is seen in part. */
  visible(topics: readonly string[]): number
  /** Resolves when something became visible after the call. */
  grown(): Promise<void>
  /** Remembers how far a group has come, if it is one of those that count. */
  keepGroup(group: string, position: Position): void
}

/** A commit of which only a part is written. */
export interface OpenCommit {
  readonly sequence: number
  readonly version: string
}

/** The lowest sequence that a writer of these topics has not finished, or else the head. */
export function visibleEnd(
  { head, lanes }: Pick<Readable, 'head' | 'lanes'>,
  open: Iterable<readonly [writer: string, commit: OpenCommit]>,
  topics: readonly string[],
): number {
  let end = head
  for (const [writer, { sequence }] of open) {
    const concerns = topics.some((topic) => lanes.get(topic)?.writers.has(writer))
    if (concerns && sequence < end) end = sequence
  }
  return end
}

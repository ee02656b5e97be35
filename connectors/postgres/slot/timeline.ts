import { formatLsn, type Lsn, parseLsn } from '../wal/lsn.ts'

/** Where a timeline ended, because another was forked from it. */
export interface Fork {
  readonly timeline: number
  readonly lsn: Lsn
}

/**
 * Reads a timeline's history file: a line for each of its ancestors, the oldest first.
 *
 *   line: timeline:digits TAB lsn TAB reason
 */
export function parseHistory(text: string): Fork[] {
  return text.split('\n').flatMap((line) => {
    const [, timeline, lsn] = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line) ?? []
    return timeline === undefined ? [] : [{ timeline: Number(timeline), lsn: parseLsn(lsn!) }]
  })
}

/** How far a place on one timeline is also a place on a later one. */
export type Shared =
  | { readonly kind: 'same' }
  /** Up to the fork both are one. */
  | { readonly kind: 'until'; readonly lsn: Lsn }
  | { readonly kind: 'unrelated' }

/** Compares the timeline that was read with the server's, whose ancestors are `history`. */
export function sharedHistory(read: number, server: number, history: readonly Fork[]): Shared {
  if (read === server) return { kind: 'same' }
  const fork = history.find(({ timeline }) => timeline === read)
  return fork === undefined ? { kind: 'unrelated' } : { kind: 'until', lsn: fork.lsn }
}

export function describeFork(read: number, server: number, lsn: Lsn): string {
  return `timeline ${server} forks from timeline ${read} at ${formatLsn(lsn)}`
}

/** What is taken for the server's patience where it has none (`wal_sender_timeout` = 0). */
const defaultMs = 60_000

/** How often a server with that much patience must hear from us, also while we do not read. */
export function aliveEveryMs(timeoutMs: number): number {
  return timeoutMs > 0 ? Math.min(10_000, timeoutMs / 2) : 10_000
}

/**
 * How long a server may be silent while we listen. It is asked for an answer each time that it
 * hears from us, so that several questions have gone unanswered by then, not one that was late.
 */
export function silenceLimitMs(timeoutMs: number): number {
  return 2 * (timeoutMs > 0 ? timeoutMs : defaultMs)
}

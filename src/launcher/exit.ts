import { stopReason } from '../core/source.ts'

/** How a command ends. 130 and 143 are what shells call an end by SIGINT and by SIGTERM. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  invalid: 2,
  changes: 2,
  SIGINT: 130,
  SIGTERM: 143,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** What a command says when it cannot do what it was asked for; no bug, so no stack. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure'
}

export type StopSignal = 'SIGINT' | 'SIGTERM'

export interface Stop {
  /** Aborts at the first signal: what is under way shall be brought to an end. */
  readonly signal: AbortSignal
  /** Resolves at the second signal, or when time is up: there is no more waiting. */
  readonly forced: Promise<ExitCode>
  /** Gives the signals back. */
  release(): void
}

/** Listens for the signals that ask a process to end. */
export function listenForStop(drainMs: number, onFirst: (signal: StopSignal) => void): Stop {
  const stop = new AbortController()
  const forced = Promise.withResolvers<ExitCode>()
  let deadline: NodeJS.Timeout | undefined
  const receive = (signal: StopSignal) => {
    if (stop.signal.aborted) return forced.resolve(exitCodes[signal])
    deadline = setTimeout(() => forced.resolve(exitCodes[signal]), drainMs)
    onFirst(signal)
    stop.abort(stopReason)
  }
  process.on('SIGINT', receive)
  process.on('SIGTERM', receive)
  return {
    signal: stop.signal,
    forced: forced.promise,
    release() {
      clearTimeout(deadline)
      process.off('SIGINT', receive)
      process.off('SIGTERM', receive)
    },
  }
}

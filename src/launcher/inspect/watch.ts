import { setTimeout as sleep } from 'node:timers/promises'
import type { Parts } from '../run/pipeline.ts'
import { viewParts } from '../run/upgrade.ts'
import type { Terminal } from '../terminal.ts'
import { type Status, stateOf } from './status.ts'
import { showLetters, showProgress } from './status-text.ts'

const lookEveryMs = 100
const progressEveryMs = { terminal: 1_000, file: 10_000 }

/** Tells what changes: a line for each new state of a part, and now and then how far each is. */
export async function narrate(
  parts: Parts,
  status: () => Promise<Status>,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const states = new Map<string, string>()
  const letters = new Map<string, number>()
  const everyMs = terminal.isInteractive ? progressEveryMs.terminal : progressEveryMs.file
  let shownAt = Date.now()
  while (!signal.aborted) {
    noteChanges(parts, states, terminal)
    if (Date.now() - shownAt >= everyMs) {
      const now = await status()
      noteLetters(now, letters, terminal)
      terminal.progress(showProgress(now))
      shownAt = Date.now()
    }
    await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
  }
  noteChanges(parts, states, terminal)
}

export interface Ending {
  readonly status: () => Promise<Status>
  /** Whether others write topics that are read. */
  readonly hasInputs: boolean
}

/**
 * Resolves once every connector has failed and what they have written has been worked off: nothing
 * will ever happen again. Where others write, too, every part must have failed.
 */
export async function untilNothingIsLeft(
  { connectors }: Parts,
  { status, hasInputs }: Ending,
  signal: AbortSignal,
): Promise<void> {
  const isOver = hasInputs ? hasFailed : isWorkedOff
  while (!signal.aborted) {
    const allFailed = connectors.every(({ meter }) => meter.state === 'failed')
    if (allFailed && isOver(await status())) return
    await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
  }
}

function isWorkedOff({ parts }: Status): boolean {
  return parts.every(({ kind, state, lag }) => {
    return kind === 'connector' || state === 'failed' || (state === 'running' && lag.records === 0)
  })
}

function hasFailed({ parts }: Status): boolean {
  return parts.every(({ state }) => state === 'failed')
}

/** Tells when more letters wait than before. */
function noteLetters({ parts }: Status, known: Map<string, number>, terminal: Terminal): void {
  for (const { name, letters } of parts) {
    if (letters > (known.get(name) ?? 0)) terminal.note(`${name}: ${showLetters(letters)}`)
    known.set(name, letters)
  }
}

/** A part that is starting is no news: it starts again and again while something is down. */
function noteChanges(
  { connectors, views, streams = [], sinks }: Parts,
  states: Map<string, string>,
  terminal: Terminal,
): void {
  const tasks = [...viewParts(views), ...streams]
  for (const part of [...connectors, ...tasks, ...sinks]) {
    const { state, reason } = stateOf(part)
    const told = `${state}${reason === null ? '' : `: ${reason}`}`
    if (state === 'starting' || states.get(part.name) === told) continue
    states.set(part.name, told)
    terminal.note(`${part.name}: ${told}`)
  }
}

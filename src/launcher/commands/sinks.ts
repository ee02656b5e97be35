import type { Destination } from '../../log/inspection.ts'
import { askControl, type Question } from '../control/control.ts'
import { findDataDirectory } from '../control/data-directory.ts'
import { readPauses, savePause } from '../control/pauses.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { openTerminal } from '../terminal.ts'

export type SinkOrder = Extract<Question, { readonly ask: 'sink' }>['do']

export interface SinkOptions {
  readonly do: SinkOrder
  /** Where to rewind to; to the beginning if it is missing. */
  readonly to?: Destination | undefined
}

/** `millrace sink pause|resume|rewind|refill FILE SINK`: one sink, while all else runs. */
export async function sinkCommand(
  file: string,
  sink: string,
  { do: order, to }: SinkOptions,
): Promise<ExitCode> {
  const terminal = openTerminal()
  const directory = findDataDirectory({ file }, process.env)
  const question = { ask: 'sink', sink, do: order, ...(to === undefined ? {} : { to }) } as const
  const answers = await askControl(directory, question)
  if (answers === undefined) {
    await terminal.print(`${sink}: ${whileNothingRuns(directory, sink, order)}`)
    return exitCodes.ok
  }
  let isAnswered = false
  for await (const answer of answers) {
    const { part, said } = answer as { readonly part: string; readonly said: string }
    await terminal.print(`${part}: ${said}`)
    isAnswered = true
  }
  if (!isAnswered) throw new CommandFailure('the pipeline ended before it was done')
  return exitCodes.ok
}

/** A pause may be lifted before a start; whatever touches the target needs the sink to run. */
function whileNothingRuns(directory: string, sink: string, order: SinkOrder): string {
  const pauses = readPauses(directory, 'sinks')
  const names = [...pauses.keys()].filter((name) => name === sink || name.startsWith(`${sink}/`))
  if (order !== 'resume' || names.length === 0) {
    throw new CommandFailure(`nothing is running on ${directory}: start the pipeline first`)
  }
  savePause(directory, 'sinks', names, null)
  return 'goes on with the next start'
}

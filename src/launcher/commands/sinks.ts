import type { Destination } from '../../log/inspection.ts'
import { didYouMean } from '../config/nearest.ts'
import { type Registry, registry } from '../config/registry.ts'
import { askControl, type Question } from '../control/control.ts'
import { findDataDirectory } from '../control/data-directory.ts'
import { readPauses, savePause } from '../control/pauses.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { loadPipeline } from '../inspect/inspect-log.ts'
import { partName } from '../run/parts.ts'
import { openTerminal } from '../terminal.ts'

export type SinkOrder = Extract<Question, { readonly ask: 'sink' }>['do']

export interface SinkOptions {
  readonly do: SinkOrder
  /** Where to rewind to; to the beginning if it is missing. */
  readonly to?: Destination | undefined
  readonly registry?: Registry
}

/** `millrace sink pause|resume|rewind|refill FILE SINK`: one sink, while all else runs. */
export async function sinkCommand(
  file: string,
  sink: string,
  { do: order, to, registry: known = registry }: SinkOptions,
): Promise<ExitCode> {
  const terminal = openTerminal()
  const directory = findDataDirectory({ file }, process.env)
  const question = { ask: 'sink', sink, do: order, ...(to === undefined ? {} : { to }) } as const
  const answers = await askControl(directory, question)
  if (answers === undefined) {
    const said = await whileNothingRuns({ file, directory, registry: known }, sink, order)
    await terminal.print(`${sink}: ${said}`)
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

interface Resting {
  readonly file: string
  /** The data directory. */
  readonly directory: string
  readonly registry: Registry
}

/** A pause may be made and lifted before a start; what touches the target needs the sink to run. */
async function whileNothingRuns(
  { file, directory, registry }: Resting,
  sink: string,
  order: SinkOrder,
): Promise<string> {
  const pauses = readPauses(directory, 'sinks')
  const isMeant = (name: string) => name === sink || name.startsWith(`${sink}/`)
  if (order === 'pause') {
    const { config } = await loadPipeline(file, registry)
    const parts = config.sinks.flatMap((each) => each.from.map((from) => partName(each, from)))
    const names = parts.filter(isMeant)
    if (names.length === 0) {
      throw new CommandFailure(`there is no sink ${JSON.stringify(sink)}${didYouMean(sink, parts)}`)
    }
    savePause(directory, 'sinks', names, new Date().toISOString())
    return 'is paused from the next start on'
  }
  const names = [...pauses.keys()].filter(isMeant)
  if (order !== 'resume' || names.length === 0) {
    throw new CommandFailure(`nothing is running on ${directory}: start the pipeline first`)
  }
  savePause(directory, 'sinks', names, null)
  return 'goes on with the next start'
}

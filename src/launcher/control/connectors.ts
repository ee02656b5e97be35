import { didYouMean } from '../config/nearest.ts'
import { CommandFailure } from '../exit.ts'
import type { ConnectorPart, Parts } from '../run/pipeline.ts'
import type { Question } from './control.ts'
import { savePause } from './pauses.ts'

export type ConnectorQuestion = Extract<Question, { readonly ask: 'connector' }>

/** What an operator has done to one connector, while all else runs: says what was done. */
export function operateConnector(
  { connectors }: Parts,
  directory: string,
  asked: ConnectorQuestion,
): string {
  const part = connectors.find(({ name }) => name === asked.connector)
  if (part === undefined) {
    const hint = didYouMean(
      asked.connector,
      connectors.map(({ name }) => name),
    )
    throw new CommandFailure(`there is no connector ${JSON.stringify(asked.connector)}${hint}`)
  }
  if (asked.do === 'pause') return pause(part, directory)
  return asked.do === 'resume' ? resume(part, directory) : restart(part)
}

/** Written down first: what is paused stays paused, whatever happens. */
function pause({ name, gate }: ConnectorPart, directory: string): string {
  if (gate.pausedSince !== null) return `is paused already, since ${gate.pausedSince}`
  const since = new Date().toISOString()
  savePause(directory, 'connectors', [name], since)
  gate.pause(since)
  return 'paused, also over a restart: it keeps its position, and its source keeps what is not read'
}

function resume({ name, gate, meter }: ConnectorPart, directory: string): string {
  if (gate.pausedSince === null) return `is not paused by an operator: it is ${meter.state}`
  savePause(directory, 'connectors', [name], null)
  gate.open()
  return 'goes on from where it was'
}

/** Its connections are closed and made again; one that waits to try again tries at once. */
function restart({ gate, meter }: ConnectorPart): string {
  if (gate.pausedSince !== null) return 'is paused by an operator: resume it'
  if (gate.isOver) throw new CommandFailure(`it has ${meter.state}: start the pipeline again`)
  gate.open()
  return 'is started again, from where it was'
}

import { askControl } from '../control/control.ts'
import { findDataDirectory, type Named } from '../control/data-directory.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import type { SnapshotQuestion } from '../run/snapshots.ts'
import { openTerminal } from '../terminal.ts'

export interface SnapshotOptions extends Named {
  readonly where?: string | undefined
}

const actions: Readonly<Record<string, SnapshotQuestion['do']>> = {
  cancel: 'stop',
  pause: 'pause',
  resume: 'resume',
  status: 'status',
}

/** `millrace snapshot CONNECTOR TABLE…`: reads tables again while the pipeline runs. */
export async function snapshotCommand(
  connector: string,
  words: readonly string[],
  options: SnapshotOptions,
): Promise<ExitCode> {
  const directory = findDataDirectory(options, process.env)
  const question = readQuestion(connector, words, options.where)
  const answers = await askControl(directory, { ask: 'snapshot', ...question })
  if (answers === undefined) throw new CommandFailure(`Nothing is running on ${directory}.`)
  const terminal = openTerminal()
  for await (const answer of answers) await terminal.print((answer as { said: string }).said)
  return exitCodes.ok
}

/** A table's name has a dot in it, the word for an action has none. */
function readQuestion(connector: string, words: readonly string[], where: string | undefined) {
  const [first = 'status', ...rest] = words
  const action = actions[first]
  const question = { connector, ...(where !== undefined && { where }) }
  if (action === undefined) return { ...question, do: 'execute' as const, tables: [...words] }
  return { ...question, do: action, tables: rest }
}

import type { ConnectorQuestion } from '../control/connectors.ts'
import { askControl } from '../control/control.ts'
import { findDataDirectory } from '../control/data-directory.ts'
import { readPauses, savePause } from '../control/pauses.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { openTerminal } from '../terminal.ts'

/** `millrace connector pause|resume|restart FILE CONNECTOR`: one connector, while all else runs. */
export async function connectorCommand(
  file: string,
  connector: string,
  order: ConnectorQuestion['do'],
): Promise<ExitCode> {
  const terminal = openTerminal()
  const directory = findDataDirectory({ file }, process.env)
  const answers = await askControl(directory, { ask: 'connector', connector, do: order })
  if (answers === undefined) {
    await terminal.print(`${connector}: ${whileNothingRuns(directory, connector, order)}`)
    return exitCodes.ok
  }
  let isAnswered = false
  for await (const answer of answers) {
    await terminal.print(`${connector}: ${(answer as { readonly said: string }).said}`)
    isAnswered = true
  }
  if (!isAnswered) throw new CommandFailure('the pipeline ended before it was done')
  return exitCodes.ok
}

/** A pause may be lifted before a start. */
function whileNothingRuns(directory: string, name: string, order: ConnectorQuestion['do']): string {
  if (order !== 'resume' || !readPauses(directory, 'connectors').has(name)) {
    throw new CommandFailure(`nothing is running on ${directory}: start the pipeline first`)
  }
  savePause(directory, 'connectors', [name], null)
  return 'goes on with the next start'
}

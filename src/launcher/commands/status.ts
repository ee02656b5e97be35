import { setTimeout as sleep } from 'node:timers/promises'
import { askControl } from '../control/control.ts'
import { findDataDirectory, type Named } from '../control/data-directory.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import type { Status } from '../inspect/status.ts'
import { showStatus } from '../inspect/status-text.ts'
import { openTerminal } from '../terminal.ts'

export interface StatusOptions extends Named {
  readonly json?: boolean
  readonly watch?: boolean
}

const watchEveryMs = 1_000
const clearScreen = '\u001b[H\u001b[2J'

/** `millrace status`: how the pipeline that runs on a data directory is doing. */
export async function statusCommand(options: StatusOptions): Promise<ExitCode> {
  const { json = false, watch = false } = options
  const terminal = openTerminal()
  const directory = findDataDirectory(options, process.env)
  for (;;) {
    const status = await ask(directory)
    if (status === undefined) {
      await terminal.print(json ? 'null' : `nothing is running on ${directory}`)
      return exitCodes.failed
    }
    const text = json ? JSON.stringify(status) : showStatus(status, terminal.color)
    await terminal.print(watch && terminal.color && !json ? `${clearScreen}${text}` : text)
    if (!watch) return exitCodes.ok
    await sleep(watchEveryMs)
  }
}

async function ask(directory: string): Promise<Status | undefined> {
  const answers = await askControl(directory, { ask: 'status' })
  for await (const answer of answers ?? []) return answer as Status
  return undefined
}

import { askControl } from '../control/control.ts'
import { findDataDirectory, type Named, openReadOnly } from '../control/data-directory.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import {
  showTapped,
  type TapOptions,
  type Tapped,
  tappedAsJson,
  tapWhatIsThere,
} from '../inspect/tap.ts'
import { openTerminal } from '../terminal.ts'

export interface TapCommandOptions extends Named {
  readonly from: TapOptions['from']
  readonly limit?: number | undefined
  readonly json?: boolean
}

/** `millrace tap TOPIC`: the records of a topic, as they come while a pipeline runs. */
export async function tapCommand(topic: string, options: TapCommandOptions): Promise<ExitCode> {
  const { from, limit = Number.POSITIVE_INFINITY, json = false } = options
  const directory = findDataDirectory(options, process.env)
  const terminal = openTerminal()
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  const asked = await askControl(directory, { ask: 'tap', topic, from }, stop.signal)
  if (asked === undefined) terminal.note('nothing is running: this is what the topic holds')
  const records = asked ?? readDirectory(directory, { topic, from }, stop.signal)
  let left = limit
  if (left > 0) {
    for await (const each of records) {
      const record = each as Tapped
      await terminal.print(json ? tappedAsJson(record) : showTapped(record))
      if (--left === 0 || stop.signal.aborted) break
    }
  }
  return exitCodes.ok
}

async function* readDirectory(
  directory: string,
  options: TapOptions,
  signal: AbortSignal,
): AsyncGenerator<Tapped> {
  const log = openReadOnly(directory)
  try {
    yield* tapWhatIsThere(log, options, signal)
  } finally {
    await log.close()
  }
}

import { didYouMean } from '../config/nearest.ts'
import type { Registry } from '../config/registry.ts'
import { askControl } from '../control/control.ts'
import { findDataDirectory, type Named } from '../control/data-directory.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { inspectLog } from '../inspect/inspect-log.ts'
import { show, showTapped, type TapOptions, type Tapped, tappedAsJson } from '../inspect/tap.ts'
import { openTerminal } from '../terminal.ts'

export interface TapCommandOptions extends Named {
  readonly from: TapOptions['from']
  readonly limit?: number | undefined
  readonly json?: boolean
  readonly registry?: Registry
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
  const records = asked ?? whatIsThere(options, { topic, from })
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

/** What the topic holds by now, and no more. */
async function* whatIsThere(
  options: TapCommandOptions,
  { topic, from }: TapOptions,
): AsyncGenerator<Tapped> {
  const log = await inspectLog(options, options.registry)
  try {
    if ((await log.partitions(topic)) === 0) {
      const hint = didYouMean(topic, await log.names())
      throw new CommandFailure(`there is no topic ${topic}${hint}`)
    }
    if (from === 'end') return
    for await (const record of log.scan(topic).more()) yield show(record)
  } finally {
    await log.close()
  }
}

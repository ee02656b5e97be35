import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { logFile } from '../../log/environment.ts'
import { lockDirectory } from '../../log/lock.ts'
import { ReadOnlyLog } from '../../log/read-only.ts'
import { readLogPath } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import { findDataDirectory, type Named } from '../control/data-directory.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { showBytes, showCount } from '../inspect/status-text.ts'
import { holdsLog } from '../inspect/tap.ts'
import { openTerminal } from '../terminal.ts'

/** Beside the log, what a pipeline keeps in its data directory. */
const files = ['paused.json', 'deployed.json', 'views.json']

export interface BackupOptions extends Named {
  readonly json?: boolean | undefined
}

/** `millrace backup TO`: the data directory as of one moment, also while a pipeline runs on it. */
export async function backupCommand(to: string, options: BackupOptions): Promise<ExitCode> {
  const from = findDataDirectory(options, process.env)
  const directory = resolve(to)
  makeEmpty(directory)
  const log = new ReadOnlyLog(from)
  try {
    await log.environment.root.backup(join(directory, logFile), true)
  } finally {
    await log.close()
  }
  copyFiles(from, directory)
  await tell(directory, { what: 'copied', json: options.json })
  return exitCodes.ok
}

/** `millrace restore FROM FILE`: makes a backup the data directory of a pipeline. */
export async function restoreCommand(
  from: string,
  { file, data, json }: BackupOptions,
): Promise<ExitCode> {
  const source = resolve(from)
  if (!holdsLog(source)) throw new CommandFailure(`${from} holds no backup`)
  const directory = targetOf({ file, data })
  if (existsSync(directory) && holdsLog(directory)) {
    throw new CommandFailure(`${directory} holds data already: move it away first`)
  }
  await new ReadOnlyLog(source).close() // Throws unless it can be read.
  const unlock = lockDirectory(directory)
  try {
    copyFileSync(join(source, logFile), join(directory, logFile))
    copyFiles(source, directory)
  } finally {
    unlock()
  }
  await tell(directory, { what: 'restored', json })
  return exitCodes.ok
}

function targetOf({ file, data }: Named): string {
  if (data !== undefined) return resolve(data)
  if (file === undefined) throw new CommandFailure('name a configuration file, or --data DIRECTORY')
  const path = readLogPath(file, process.env)
  if (typeof path === 'string') return path
  throw new CommandFailure(path.map(showFault).join('\n'))
}

function makeEmpty(directory: string): void {
  mkdirSync(directory, { recursive: true })
  if (readdirSync(directory).length > 0) throw new CommandFailure(`${directory} is not empty`)
}

function copyFiles(from: string, to: string): void {
  for (const name of files) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name))
  }
}

async function tell(
  directory: string,
  { what, json = false }: { readonly what: string; readonly json?: boolean | undefined },
): Promise<void> {
  const log = new ReadOnlyLog(directory)
  const topics = [...log.lanes.all].length
  const { head } = log
  await log.close()
  const { size: bytes } = statSync(join(directory, logFile))
  const line = `${what} to ${directory}: ${topics} topics, ${showCount(head - 1)} commits, ${showBytes(bytes)}`
  await openTerminal().print(json ? JSON.stringify({ v: 1, directory, topics, head, bytes }) : line)
}

import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readLogPath } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import type { Environment } from '../config/interpolate.ts'
import { CommandFailure } from '../exit.ts'
import { holdsLog } from '../inspect/tap.ts'

export interface Named {
  readonly file?: string | undefined
  readonly data?: string | undefined
}

/**
 * The data directory that a command means: the one given, that of the configuration given, or the
 * only one under `./data`. Throws a sentence if there is none.
 */
export function findDataDirectory({ file, data }: Named, environment: Environment): string {
  if (data !== undefined) return existing(resolve(data))
  if (file !== undefined) {
    const read = readLogPath(file, environment)
    if (typeof read === 'string') return existing(read)
    throw new CommandFailure(read.map(showFault).join('\n'))
  }
  const found = existsSync('data') ? readdirSync('data').map((name) => resolve('data', name)) : []
  const logs = found.filter(holdsData)
  if (logs.length === 1) return logs[0]!
  const several = logs.length > 1 ? `there are several: ${logs.join(', ')}; ` : ''
  throw new CommandFailure(`${several}name a configuration file, or a data directory with --data`)
}

/** An embedded log, or the state of a pipeline whose log is on Kafka. */
function holdsData(directory: string): boolean {
  return holdsLog(directory) || existsSync(join(directory, 'state.mdb'))
}

function existing(directory: string): string {
  if (holdsData(directory)) return directory
  const inside = existsSync(directory) ? 'holds no data of a pipeline' : 'does not exist'
  throw new CommandFailure(`${directory} ${inside}: nothing has run there yet`)
}

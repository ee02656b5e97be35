import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { serveRegistry } from '../../log/registry/server.ts'
import { readLogPath } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import type { Named } from '../control/data-directory.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { openTerminal } from '../terminal.ts'

export interface RegistryCommandOptions extends Named {
  readonly port: number
  readonly host: string
}

/** `millrace registry`: a schema registry for this machine, until SIGINT or SIGTERM. */
export async function registryCommand(options: RegistryCommandOptions): Promise<ExitCode> {
  const path = join(directoryOf(options), 'schemas.ndjson')
  mkdirSync(dirname(path), { recursive: true })
  const { host, port } = options
  const server = await serveRegistry({ path, host, port })
  openTerminal().note(`schema registry at ${server.url}, schemas in ${path}`)
  await new Promise<void>((done) => {
    process.once('SIGINT', () => done()).once('SIGTERM', () => done())
  })
  await server.close()
  return exitCodes.ok
}

/** Unlike other commands it may be the first that runs there. */
function directoryOf({ file, data }: Named): string {
  if (data !== undefined) return resolve(data)
  if (file === undefined) throw new CommandFailure('name a configuration file, or --data DIRECTORY')
  const path = readLogPath(file, process.env)
  if (typeof path === 'string') return path
  throw new CommandFailure(path.map(showFault).join('\n'))
}

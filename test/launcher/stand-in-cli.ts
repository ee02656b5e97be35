/*
 * `millrace run FILE [DRAIN-MS]` with stand-ins for connectors and sinks, and the commands of
 * stand-in-commands.ts.
 */
import { describeError } from '../../src/core/errors.ts'
import { runCommand } from '../../src/launcher/commands/run.ts'
import { CommandFailure } from '../../src/launcher/exit.ts'
import { pipelineStandIns as registry } from './pipeline-stand-ins.ts'
import { standInCommand } from './stand-in-commands.ts'

const [file = '', drainMs = '30000'] = process.argv.slice(2)
try {
  const code = await standInCommand(process.argv.slice(2))
  process.exit(code ?? (await runCommand(file, { registry, drainMs: Number(drainMs) })))
} catch (error) {
  console.error(error instanceof CommandFailure ? error.message : describeError(error))
  process.exit(1)
}

/* `millrace run FILE [DRAIN-MS]` with stand-ins for connectors and sinks. */
import { runCommand } from '../../src/launcher/commands/run.ts'
import { pipelineStandIns } from './pipeline-stand-ins.ts'

const [file = '', drainMs = '30000'] = process.argv.slice(2)
process.exit(await runCommand(file, { registry: pipelineStandIns, drainMs: Number(drainMs) }))

/*
 * `millrace run FILE [DRAIN-MS]` with stand-ins for connectors and sinks; also `verify FILE SINK`
 * and `explain FILE SINK KEY`, both with JSON for output.
 */
import { parseArgs } from 'node:util'
import { explainCommand } from '../../src/launcher/commands/explain.ts'
import { runCommand } from '../../src/launcher/commands/run.ts'
import { verifyCommand } from '../../src/launcher/commands/verify.ts'
import { pipelineStandIns as registry } from './pipeline-stand-ins.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: 'string' }, repair: { type: 'boolean' }, people: { type: 'boolean' } },
})
const [first = '', second = '', sink = '', key = ''] = positionals
const { sample, repair, people } = values
const json = !people

if (first === 'verify') {
  const options = { ...(sample && { sample: Number(sample) }), repair, show: true, json, registry }
  process.exit(await verifyCommand(second, sink, { ...options, patienceMs: 10_000 }))
}
if (first === 'explain') process.exit(await explainCommand(second, sink, key, { json, registry }))
process.exit(await runCommand(first, { registry, drainMs: Number(second || '30000') }))

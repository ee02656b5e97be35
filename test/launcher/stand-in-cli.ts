/*
 * `millrace run FILE [DRAIN-MS]` with stand-ins for connectors and sinks; also `verify FILE SINK`
 * and `explain FILE SINK KEY`, both with JSON for output; `plan FILE`, `topics FILE` and
 * `rewind FILE SINK SEQUENCE`, which is a trial with `--dry`; `reindex FILE SINK [ENDING]`;
 * `reset FILE VIEW`.
 */
import { parseArgs } from 'node:util'
import { explainCommand } from '../../src/launcher/commands/explain.ts'
import { rewindOffsets } from '../../src/launcher/commands/offsets.ts'
import { planCommand } from '../../src/launcher/commands/plan.ts'
import { reindexCommand } from '../../src/launcher/commands/reindex.ts'
import { runCommand } from '../../src/launcher/commands/run.ts'
import { listTopics } from '../../src/launcher/commands/topics.ts'
import { verifyCommand } from '../../src/launcher/commands/verify.ts'
import { resetView } from '../../src/launcher/commands/views.ts'
import { pipelineStandIns as registry } from './pipeline-stand-ins.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string' },
    repair: { type: 'boolean' },
    people: { type: 'boolean' },
    dry: { type: 'boolean' },
  },
})
const [first = '', second = '', sink = '', key = ''] = positionals
const { sample, repair, people } = values
const json = !people

if (first === 'verify') {
  const options = { ...(sample && { sample: Number(sample) }), repair, show: true, json, registry }
  process.exit(await verifyCommand(second, sink, { ...options, patienceMs: 10_000 }))
}
if (first === 'explain') process.exit(await explainCommand(second, sink, key, { json, registry }))
if (first === 'reindex') {
  const order = key === '' ? undefined : (key as 'rollback')
  process.exit(await reindexCommand(second, sink, { do: order, registry }))
}
if (first === 'plan') process.exit(await planCommand(second, { json, registry }))
if (first === 'topics') process.exit(await listTopics({ file: second, json, registry }))
if (first === 'reset') process.exit(await resetView(second, sink, { json, registry }))
if (first === 'rewind') {
  const to = key === '' ? ('beginning' as const) : { sequence: Number(key) }
  process.exit(await rewindOffsets(second, sink, { to, dryRun: values.dry, registry }))
}
process.exit(await runCommand(first, { registry, drainMs: Number(second || '30000') }))

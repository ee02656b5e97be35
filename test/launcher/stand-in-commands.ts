/*
 * Commands with stand-ins for connectors and sinks: `verify FILE SINK` and `explain FILE SINK KEY`,
 * both with JSON for output; `plan FILE`, `topics FILE`, `show TOPIC FILE`, `tap TOPIC FILE`,
 * `create FILE`, `offsets FILE`, `status FILE`, `sink FILE DEED SINK`, `doctor FILE`, and
 * `rewind FILE SINK PLACE`, which is a trial with `--dry`; `set FILE CONNECTOR POSITION`;
 * `dlq FILE DEED [LETTER]`; `reindex FILE SINK [ENDING]`; `reset FILE VIEW`;
 * `copy FROM TO [TOPIC]`.
 */
import { parseArgs } from 'node:util'
import {
  dealWithLetters,
  exportLetters,
  listLetters,
  showLetters,
} from '../../src/launcher/commands/dlq.ts'
import { doctorCommand } from '../../src/launcher/commands/doctor.ts'
import { explainCommand } from '../../src/launcher/commands/explain.ts'
import { rewindOffsets, setOffset, showOffsets } from '../../src/launcher/commands/offsets.ts'
import { planCommand } from '../../src/launcher/commands/plan.ts'
import { reindexCommand } from '../../src/launcher/commands/reindex.ts'
import { sinkCommand } from '../../src/launcher/commands/sinks.ts'
import { statusCommand } from '../../src/launcher/commands/status.ts'
import { tapCommand } from '../../src/launcher/commands/tap.ts'
import { listTopics, showOneTopic } from '../../src/launcher/commands/topics.ts'
import { copyTopicsCommand } from '../../src/launcher/commands/topics-copy.ts'
import { createTopics } from '../../src/launcher/commands/topics-create.ts'
import { verifyCommand } from '../../src/launcher/commands/verify.ts'
import { resetView } from '../../src/launcher/commands/views.ts'
import type { ExitCode } from '../../src/launcher/exit.ts'
import { pipelineStandIns as registry } from './pipeline-stand-ins.ts'

/** Runs a command; undefined if the first argument names none. */
export async function standInCommand(args: readonly string[]): Promise<ExitCode | undefined> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      sample: { type: 'string' },
      repair: { type: 'boolean' },
      people: { type: 'boolean' },
      dry: { type: 'boolean' },
    },
  })
  const [first = '', file = '', name = '', rest = ''] = positionals
  const { sample, repair, people, dry: dryRun } = values
  const json = !people
  const common = { json, registry }

  const commands: Readonly<Record<string, () => Promise<ExitCode>>> = {
    verify: () => {
      const options = { ...(sample && { sample: Number(sample) }), repair, show: true, ...common }
      return verifyCommand(file, name, { ...options, patienceMs: 10_000 })
    },
    explain: () => explainCommand(file, name, rest, common),
    reindex: () => {
      return reindexCommand(file, name, {
        do: rest === '' ? undefined : (rest as 'rollback'),
        registry,
      })
    },
    plan: () => planCommand(file, common),
    topics: () => listTopics({ file, ...common }),
    show: () => showOneTopic(file, { file: name, ...common }),
    create: () => createTopics(file, { ...common, dryRun }),
    copy: () => copyTopicsCommand(file, name, { ...common, topics: rest === '' ? [] : [rest] }),
    offsets: () => showOffsets({ file, ...common }),
    set: () => setOffset(file, name, { position: rest, dryRun, registry }),
    reset: () => resetView(file, name, common),
    rewind: () => rewindOffsets(file, name, { to: placeOf(rest), dryRun, registry }),
    tap: () => tapCommand(file, { file: name, from: 'beginning', ...common }),
    sink: () => sinkCommand(file, rest, { do: name as 'pause', registry }),
    status: () => statusCommand({ file, json }),
    doctor: () => doctorCommand(file, common),
    dlq: () => {
      const options = { ...common, ids: rest === '' ? [] : [rest] }
      if (name === 'ls') return listLetters(file, options)
      if (name === 'show') return showLetters(file, options)
      if (name === 'export') return exportLetters(file, options)
      return dealWithLetters(file, name as 'skip', options)
    },
  }
  return commands[first]?.()
}

/** `beginning`, `end`, a sequence, or `@OFFSET/PARTITION`. */
function placeOf(text: string) {
  if (text === '' || text === 'beginning') return 'beginning' as const
  if (text === 'end') return 'end' as const
  if (!text.startsWith('@')) return { sequence: Number(text) }
  const [offset, partition] = text.slice(1).split('/')
  return {
    offset: Number(offset),
    partition: partition === undefined ? undefined : Number(partition),
  }
}

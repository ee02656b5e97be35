import { type Registry, registry } from '../config/registry.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import { type Explanation, explainKey, type Station } from '../inspect/explain-key.ts'
import { lookAt } from '../inspect/sink-subject.ts'
import { openTerminal } from '../terminal.ts'

export interface ExplainOptions {
  readonly json?: boolean | undefined
  readonly registry?: Registry
}

/** `millrace explain FILE SINK KEY`: the way of one key from its topic into a sink. */
export async function explainCommand(
  file: string,
  sink: string,
  key: string,
  options: ExplainOptions = {},
): Promise<ExitCode> {
  const looking = await lookAt(file, sink, options.registry ?? registry)
  const terminal = openTerminal(looking.mask)
  try {
    let isKnown = false
    for (const subject of looking.subjects) {
      const explanation = await explainKey(looking.log, subject, key)
      if (explanation === undefined) continue
      isKnown = true
      await terminal.print(options.json ? JSON.stringify(explanation) : show(explanation))
    }
    if (isKnown) return exitCodes.ok
    if (options.json) await terminal.print('null')
    else await terminal.print(`neither the topic nor ${sink} knows the key ${key}`)
    return exitCodes.failed
  } finally {
    await looking.close()
  }
}

function show(explanation: Explanation): string {
  const { key, id, sink, records, document, others, verdict, letters } = explanation
  return [
    `key ${key}`,
    ...records.map(showStation),
    ...(records.length === 0 ? ['  no record: the topic knows nothing of it'] : []),
    ...[...others, { id, document }].map((each) => showFound(each, sink)),
    ...letters.map(({ id, state, code, reason, attempts }) => {
      return `  letter ${id} (${state}), refused ${attempts === 1 ? 'once' : `${attempts} times`} as ${code}: ${reason}`
    }),
    verdicts[verdict],
  ].join('\n')
}

function showFound({ id, document }: Explanation['others'][number], sink: string): string {
  const { version, deleted } = document ?? {}
  const held = version === undefined ? 'none' : `${deleted ? 'deleted at ' : ''}version ${version}`
  return `document ${id} in ${sink}: ${held}`
}

function showStation({ topic, offset, version, timestamp, does }: Station): string {
  const time = new Date(timestamp).toISOString()
  return `  ${topic} at offset ${offset}: version ${version}, ${time}, ${deeds[does]}`
}

const deeds: Readonly<Record<Station['does'], string>> = {
  write: 'writes the document',
  delete: 'deletes the document',
  nothing: 'concerns no document',
  refused: 'cannot be read as a change',
}

const verdicts: Readonly<Record<Explanation['verdict'], string>> = {
  agree: 'topic and sink agree',
  pending: 'the sink has not come to the newest record yet',
  refused: 'the sink refused the newest record: its dead letter says why',
  differ: 'topic and sink differ: `millrace verify --repair` mends it',
}

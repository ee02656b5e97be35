import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { describeError } from '../../core/errors.ts'
import type { Finding } from '../../core/plugin.ts'
import { type Config, loadConfig } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import { type Registry, registry } from '../config/registry.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import { askForColumns, columnFaults } from '../run/columns.ts'
import { openTerminal } from '../terminal.ts'

export interface DoctorOptions {
  readonly json?: boolean
  readonly sql?: boolean
  readonly registry?: Registry
  /** How long a part may take to look around. */
  readonly patienceMs?: number
}

/** What was found of one part of a pipeline. */
export interface Examined {
  readonly kind: 'log' | 'connector' | 'views' | 'sink'
  readonly name: string
  readonly type: string
  readonly findings: readonly Finding[]
}

/** `millrace doctor FILE`: asks every part what would go wrong. Changes nothing. */
export async function doctorCommand(file: string, options: DoctorOptions = {}): Promise<ExitCode> {
  const { json = false, sql = false, registry: known = registry } = options
  const loaded = loadConfig(file, known, process.env)
  const terminal = openTerminal(loaded.mask)
  if (!loaded.ok) {
    const { faults } = loaded
    if (json) await terminal.print(JSON.stringify({ ok: false, faults, parts: [] }, null, 2))
    else await terminal.print(faults.map(showFault).join('\n'))
    return exitCodes.invalid
  }
  const parts = await examine(loaded.config, options.patienceMs ?? 30_000)
  const healthy = parts.every(({ findings }) => findings.every(({ level }) => level !== 'error'))
  if (json) await terminal.print(JSON.stringify({ ok: healthy, faults: [], parts }, null, 2))
  else if (sql) await terminal.print(showRepairs(parts))
  else await terminal.print(showParts(parts, terminal.color))
  return healthy ? exitCodes.ok : exitCodes.failed
}

/** All parts look around at the same time: most of it is waiting for servers. */
function examine(config: Config, patienceMs: number): Promise<Examined[]> {
  const examineAs =
    (kind: Examined['kind']) =>
    async ({ name, plugin, options }: Config['connectors' | 'sinks'][number]) => {
      const found = plugin.check(options, { pipeline: config.name, name })
      return { kind, name, type: plugin.type, findings: await collect(found, patienceMs) }
    }
  return Promise.all([
    ...examineLog(config, patienceMs),
    ...config.connectors.map(examineAs('connector')),
    ...examineViews(config),
    ...config.sinks.map(examineAs('sink')),
  ])
}

function examineLog({ name, log: { kafka }, topics = [] }: Config, patienceMs: number) {
  if (kafka === undefined) return []
  const examine = async (): Promise<Examined> => {
    const { checkKafka } = await import('../../log/kafka/check.ts')
    const found = checkKafka({ pipeline: name, options: kafka, topics })
    return { kind: 'log', name, type: 'kafka', findings: await collect(found, patienceMs) }
  }
  return [examine()]
}

/** Whether the tables have the columns that views of the configuration name. */
function examineViews(config: Config): Promise<Examined>[] {
  if (!config.views.some((view) => 'root' in view)) return []
  const examine = async (): Promise<Examined> => {
    const faults = columnFaults(config, await askForColumns(config))
    const found = faults.map(({ path, what }): Finding => {
      return { level: 'error', what: `${path}: ${what}` }
    })
    const fine: Finding = { level: 'ok', what: 'no column is named that is known to be missing' }
    return {
      kind: 'views',
      name: config.name,
      type: 'columns',
      findings: found.length ? found : [fine],
    }
  }
  return [examine()]
}

async function collect(found: AsyncIterable<Finding>, patienceMs: number): Promise<Finding[]> {
  const findings: Finding[] = []
  const iterator = found[Symbol.asyncIterator]()
  const late = new AbortController()
  const deadline = sleep(patienceMs, 'late' as const, { signal: late.signal }).catch(() => 'late')
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), deadline])
      if (typeof next === 'string') {
        findings.push({ level: 'error', what: `no answer within ${patienceMs / 1000} s` })
        return findings
      }
      if (next.done) return findings
      findings.push(next.value)
    }
  } catch (error) {
    return [...findings, { level: 'error', what: describeError(error) }]
  } finally {
    late.abort()
  }
}

/** For people: each part with what was found, and what to do about it below. */
export function showParts(parts: readonly Examined[], color = false): string {
  const findings = parts.flatMap((part) => part.findings)
  const count = (level: Finding['level']) => findings.filter((each) => each.level === level).length
  const lines = parts.flatMap(({ kind, name, type, findings }) => [
    `${kind} ${name} (${type})`,
    ...(findings.length === 0 ? ['  nothing to check'] : []),
    ...findings.flatMap((finding) => showFinding(finding, color)),
    '',
  ])
  return [
    ...lines,
    `${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}`,
  ].join('\n')
}

function showFinding({ level, what, hint, repair }: Finding, color: boolean): string[] {
  const word = level.padEnd(7)
  const shown = color ? styleText(colors[level], word) : word
  return [
    `  ${shown}  ${what}`,
    ...(hint === undefined ? [] : [`           ${hint}`]),
    ...(repair ?? []).map((sql) => `           ${sql}`),
  ]
}

const colors = { ok: 'green', warning: 'yellow', error: 'red' } as const

/** Only the SQL, each statement once, with the reason above it. */
export function showRepairs(parts: readonly Examined[]): string {
  const seen = new Set<string>()
  const lines: string[] = []
  for (const { kind, name, findings } of parts) {
    for (const { what, repair = [] } of findings) {
      const fresh = repair.filter((sql) => !seen.has(`${name} ${sql}`))
      if (fresh.length === 0) continue
      lines.push(`-- ${kind} ${name}: ${what.replaceAll(/\s+/g, ' ')}`, ...fresh)
      for (const sql of fresh) seen.add(`${name} ${sql}`)
    }
  }
  return lines.length === 0 ? '-- nothing to repair' : lines.join('\n')
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`
}

import { setTimeout as sleep } from 'node:timers/promises'
import { type Registry, registry } from '../config/registry.ts'
import { askControl, type Question } from '../control/control.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { joinReadings } from '../inspect/partitioned-reading.ts'
import { type Looking, lookAt, type Subject } from '../inspect/sink-subject.ts'
import { showCount } from '../inspect/status-text.ts'
import { type Verified, verify } from '../inspect/verify.ts'
import type { ReindexStatus } from '../run/reindexes.ts'
import { openTerminal, type Terminal } from '../terminal.ts'

export interface ReindexCommandOptions {
  /** Ends what an earlier call has begun, or shows it. */
  readonly do?: 'rollback' | 'cancel' | 'finish' | 'status' | undefined
  /** Stops before the new target takes over. */
  readonly hold?: boolean | undefined
  /** Compares so many documents, chosen at random, instead of all. */
  readonly sample?: number | undefined
  readonly registry?: Registry
}

/** How often it is asked how far the filling is, and told. */
const lookEveryMs = 250
const tellEveryMs = 2_000
/** How long the new target may take to come to what is compared. */
const patienceMs = 60_000

/**
 * `millrace reindex FILE SINK`: has a new target filled beside the one that serves, compares it
 * with the topic once it has caught up, and then has it take over.
 */
export async function reindexCommand(
  file: string,
  sink: string,
  options: ReindexCommandOptions = {},
): Promise<ExitCode> {
  const terminal = openTerminal()
  const plugins = options.registry ?? registry
  const { do: order } = options
  if (order !== undefined && order !== 'status') {
    return withSubjects(file, sink, plugins, async ({ config }, { name }) => {
      await terminal.print(`${name}: ${await said(config.log.path, name, order)}`)
      return true
    })
  }
  return withSubjects(file, sink, plugins, async (looking, subject) => {
    const directory = looking.config.log.path
    if (order === 'status') {
      await terminal.print(show(await status(directory, subject.name)))
      return true
    }
    terminal.note(`${subject.name}: ${await said(directory, subject.name, 'start')}`)
    await untilFilled(directory, subject.name, terminal)
    if (!(await isEqual(looking, subject, { options, terminal }))) return false
    if (options.hold) return true
    await terminal.print(`${subject.name}: ${await said(directory, subject.name, 'swap')}`)
    return true
  })
}

async function withSubjects(
  file: string,
  sink: string,
  registry: Registry,
  work: (looking: Looking, subject: Subject) => Promise<boolean>,
): Promise<ExitCode> {
  const looking = await lookAt(file, sink, registry)
  try {
    let isFine = true
    for (const subject of looking.subjects) if (!(await work(looking, subject))) isFine = false
    return isFine ? exitCodes.ok : exitCodes.failed
  } finally {
    await looking.close()
  }
}

async function untilFilled(directory: string, part: string, terminal: Terminal): Promise<void> {
  let toldAt = performance.now()
  for (;;) {
    const now = await status(directory, part)
    if (now.state === 'failed' || now.state === 'paused' || now.state === 'none') {
      throw new CommandFailure(`${part} is not filled: ${now.reason ?? now.state}`)
    }
    if (now.state === 'running' && now.pending === 0) return
    if (performance.now() - toldAt > tellEveryMs) {
      terminal.progress(show(now))
      toldAt = performance.now()
    }
    await sleep(lookEveryMs)
  }
}

async function isEqual(
  { log }: Looking,
  subject: Subject,
  { options, terminal }: { readonly options: ReindexCommandOptions; readonly terminal: Terminal },
): Promise<boolean> {
  const verified = await compare(log, subject, options.sample)
  const faults = verified.differences.filter(({ kind }) => kind !== 'refused')
  const { topic, sink } = verified.documents
  const counts = `${showCount(topic)} documents in ${verified.topic}, ${showCount(sink)} in the new target`
  terminal.note(`${subject.name}: ${counts}; ${showCount(verified.compared)} compared`)
  for (const { kind, id } of faults.slice(0, 10)) await terminal.print(`${kind.padEnd(9)}  ${id}`)
  if (faults.length === 0 && verified.unsettled === 0 && verified.pending === 0) return true
  const what = `${faults.length} differ, ${verified.pending} are pending, ${verified.unsettled} unsettled`
  await terminal.print(
    `${subject.name}: ${what}: the old one goes on serving; run it again, or --cancel`,
  )
  return false
}

/** The target that is being filled, with the topic. */
async function compare(
  log: Looking['log'],
  subject: Subject,
  sample: number | undefined,
): Promise<Verified> {
  const sides = Array.from({ length: subject.partitions }, (_, partition) => {
    return subject.reindexing!(partition)
  })
  const [first, ...others] = await Promise.all(sides.map((side) => side.read()))
  const reading = joinReadings([first!, ...others])
  try {
    return (await verify(log, { ...subject, reading }, { sample, patienceMs })).verified
  } finally {
    await reading.close()
    for (const side of sides) await side.close()
  }
}

function show({ part, since, state, reason, records, dead, pending }: ReindexStatus): string {
  if (since === null) return `${part}: nothing is being filled`
  const why = reason === null ? '' : `: ${reason}`
  const letters = dead === 0 ? '' : `, ${showCount(dead)} refused`
  return `${part}: ${state}${why}; ${showCount(records)} records${letters}, ${showCount(pending)} to come, since ${since}`
}

type Order = Extract<Question, { readonly ask: 'reindex' }>['do']

async function status(directory: string, part: string): Promise<ReindexStatus> {
  return (await ask(directory, part, 'status')) as ReindexStatus
}

async function said(directory: string, part: string, order: Order): Promise<string> {
  return ((await ask(directory, part, order)) as { readonly said: string }).said
}

async function ask(directory: string, part: string, order: Order): Promise<unknown> {
  const answers = await askControl(directory, { ask: 'reindex', part, do: order })
  for await (const answer of answers ?? []) return answer
  throw new CommandFailure(`nothing is running on ${directory}: start the pipeline first`)
}

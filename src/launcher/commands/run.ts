import { describeError, MillraceError } from '../../core/errors.ts'
import type { Topology } from '../../streams/topology.ts'
import { type Config, loadConfig } from '../config/config.ts'
import { type Fault, showFault } from '../config/fault.ts'
import type { Mask } from '../config/mask.ts'
import { type Registry, registry } from '../config/registry.ts'
import { operateConnector } from '../control/connectors.ts'
import { serveControl } from '../control/control.ts'
import { keepPaused } from '../control/operate.ts'
import { type ExitCode, exitCodes, listenForStop } from '../exit.ts'
import { serveHttp } from '../inspect/console.ts'
import { statusOf } from '../inspect/status.ts'
import { narrate, untilNothingIsLeft } from '../inspect/watch.ts'
import { type Deployment, describeDeployment, saveDeployment } from '../run/deployment.ts'
import { findFormerViews } from '../run/former-views.ts'
import { type OpenedLog, openLog } from '../run/opened-log.ts'
import { openParts } from '../run/parts.ts'
import { type Parts, run } from '../run/pipeline.ts'
import { askForSnapshot } from '../run/snapshots.ts'
import { loadViews } from '../run/views.ts'
import { openTerminal, type Terminal } from '../terminal.ts'

export interface RunOptions {
  /** How long the parts may take to come to an end after the first signal. */
  readonly drainMs?: number
  readonly registry?: Registry
  /** For tests that put something of their own between two parts. */
  readonly change?: (parts: Parts) => Parts
}

/** `millrace run FILE`: runs a pipeline until it is asked to end, or has nothing left to do. */
export async function runCommand(file: string, options: RunOptions = {}): Promise<ExitCode> {
  const loaded = loadConfig(file, options.registry ?? registry, process.env)
  const terminal = openTerminal(loaded.mask)
  if (!loaded.ok) return invalid(loaded.faults, terminal)
  const { config, mask } = loaded
  crashCleanly(terminal)
  const views = await loadViews(config)
  if (!views.ok) return invalid(views.faults, terminal)
  const say = (name: string, line: string) => terminal.note(`${name}: ${line}`)
  const former = await findFormerViews(config, views.topology)
  let opened: OpenedLog
  try {
    opened = await openLog({ config, ...views, say: (line) => say('log', line) })
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    terminal.note(describeError(error))
    return exitCodes.failed
  }
  const parts = openParts(config, { log: opened.log, ...views, former, say })
  const changed = options.change?.(parts) ?? parts
  return await runParts(changed, opened, {
    config,
    mask,
    terminal,
    drainMs: options.drainMs ?? 30_000,
    deployment: describeDeployment(config, views),
    topology: views.topology,
  })
}

interface Running {
  readonly config: Config
  readonly mask: Mask
  readonly terminal: Terminal
  readonly drainMs: number
  readonly deployment: Deployment
  readonly topology: Topology
}

async function runParts(
  parts: Parts,
  { log, letters: openLetters, serve, announce }: OpenedLog,
  { config, mask, terminal, drainMs, deployment, topology }: Running,
): Promise<ExitCode> {
  const { path } = config.log
  const hasInputs = (config.inputs ?? []).length > 0
  const startedAt = new Date()
  const status = () => statusOf(parts, { startedAt, path, mask, openLetters })
  keepPaused(parts, path)
  saveDeployment(path, deployment)
  const stop = listenForStop(drainMs, (signal) =>
    terminal.note(`${signal}: finishing what is under way; once more to stop at once`),
  )
  const ended = new AbortController()
  const either = AbortSignal.any([stop.signal, ended.signal])
  const serving = serve(parts, either)
  const control = await serveControl(path, (asked, signal) => {
    if (asked.ask === 'status') return once(status)
    if (asked.ask === 'connector') {
      return once(async () => ({ said: operateConnector(parts, path, asked) }))
    }
    if (asked.ask !== 'snapshot') return serving.answer(asked, signal)
    return once(async () => ({ said: askForSnapshot(parts, asked) }))
  })
  const http = config.http && (await serveHttp(config.http, { parts, log, topology, status }))
  if (http !== undefined) announce(config.http?.url ?? http.url)
  for (const line of summary(config)) terminal.note(line)
  if (http !== undefined) terminal.note(`  answers at ${http.url}`)
  const telling = narrate(parts, status, terminal, ended.signal)
  const end = untilNothingIsLeft(parts, { status, hasInputs }, ended.signal).then(() =>
    ended.abort(),
  )
  const running = run(parts, either).then(async () => {
    ended.abort()
    await Promise.all([telling, end, serving.done, control(), http?.close()])
    await log.close()
    return stop.signal.aborted ? exitCodes.ok : exitCodes.failed
  })
  try {
    const code = await Promise.race([running, stop.forced])
    terminal.note(farewell(code, stop.signal.aborted))
    return code
  } catch (error) {
    return crash(error, terminal)
  } finally {
    stop.release()
  }
}

function farewell(code: ExitCode, asked: boolean): string {
  if (code === exitCodes.ok) return 'stopped: everything under way is finished'
  if (asked) return 'stopped at once: what was under way is done again at the next start'
  return 'ended: no connector is left running'
}

async function* once<T>(answer: () => Promise<T>): AsyncGenerator<T> {
  yield await answer()
}

function invalid(faults: readonly Fault[], terminal: Terminal): ExitCode {
  for (const fault of faults) terminal.note(showFault(fault))
  terminal.note(faults.length === 1 ? '1 fault' : `${faults.length} faults`)
  return exitCodes.invalid
}

/** Names only: no option of any part, as those may be secret. */
function summary({ name, log, connectors, views, sinks }: Config): readonly string[] {
  return [
    `${name}: process ${process.pid}, data in ${log.path}`,
    ...connectors.map(({ name, plugin }) => `  connector ${name} (${plugin.type})`),
    ...views.map(({ name }) => `  view ${name}`),
    ...sinks.map(({ name, plugin, from }) => {
      return `  sink ${name} (${plugin.type}) from ${from.map(({ topic }) => topic).join(', ')}`
    }),
  ]
}

/** A bug ends the process: whoever supervises it starts it again, from what is durable. */
function crashCleanly(terminal: Terminal): void {
  process.on('uncaughtException', (error) => process.exit(crash(error, terminal)))
}

function crash(error: unknown, terminal: Terminal): ExitCode {
  terminal.note(stackOf(error))
  return exitCodes.failed
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}

import { existsSync } from 'node:fs'
import { ReadOnlyLog } from '../../log/read-only.ts'
import { type Config, loadConfig } from '../config/config.ts'
import { type Fault, showFault } from '../config/fault.ts'
import { type Registry, registry } from '../config/registry.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import { planChanges, showPlan } from '../inspect/plan.ts'
import { holdsLog } from '../inspect/tap.ts'
import { stateBuiltBy } from '../inspect/view-state.ts'
import { readDeployment } from '../run/deployment.ts'
import { loadViews } from '../run/views.ts'
import { openTerminal, type Terminal } from '../terminal.ts'

export interface PlanOptions {
  readonly json?: boolean | undefined
  readonly registry?: Registry
}

/** `millrace plan FILE`: what a start would change. 0: nothing, 2: something, 1: no start. */
export async function planCommand(
  file: string,
  { json = false, registry: known = registry }: PlanOptions = {},
): Promise<ExitCode> {
  const loaded = loadConfig(file, known, process.env)
  const terminal = openTerminal(loaded.mask)
  if (!loaded.ok) return faulty(loaded.faults, terminal, json)
  const views = await loadViews(loaded.config)
  if (!views.ok) return faulty(views.faults, terminal, json)
  const changes = await withLog(loaded.config, (log) =>
    planChanges({
      config: loaded.config,
      topology: views.topology,
      streams: views.streams,
      last: readDeployment(loaded.config.log.path),
      log,
      builtBy: (group) => (log === undefined ? '' : stateBuiltBy(log, group)),
    }),
  )
  await terminal.print(json ? JSON.stringify({ v: 1, changes }) : showPlan(changes))
  return changes.length === 0 ? exitCodes.ok : exitCodes.changes
}

async function withLog<T>(
  { log: { path } }: Config,
  look: (log: ReadOnlyLog | undefined) => T,
): Promise<T> {
  if (!existsSync(path) || !holdsLog(path)) return look(undefined)
  const log = new ReadOnlyLog(path)
  try {
    return look(log)
  } finally {
    await log.close()
  }
}

async function faulty(
  faults: readonly Fault[],
  terminal: Terminal,
  json: boolean,
): Promise<ExitCode> {
  if (json) await terminal.print(JSON.stringify({ v: 1, faults }))
  else for (const fault of faults) terminal.note(showFault(fault))
  return exitCodes.failed
}

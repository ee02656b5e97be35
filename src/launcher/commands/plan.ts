import { loadConfig } from '../config/config.ts'
import { type Fault, showFault } from '../config/fault.ts'
import { type Registry, registry } from '../config/registry.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import { type InspectedPipeline, inspectPipeline } from '../inspect/inspect-log.ts'
import { type Change, planChanges, showPlan } from '../inspect/plan.ts'
import { holdsLog } from '../inspect/tap.ts'
import { topicDifferences } from '../inspect/topic-differences.ts'
import { stateBuiltBy, viewsGroup } from '../inspect/view-state.ts'
import { readDeployment } from '../run/deployment.ts'
import { spareOf } from '../run/upgrade.ts'
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
  const changes = await look({ ...loaded, ...views })
  await terminal.print(json ? JSON.stringify({ v: 1, changes }) : showPlan(changes))
  return changes.length === 0 ? exitCodes.ok : exitCodes.changes
}

async function look(pipeline: InspectedPipeline): Promise<readonly Change[]> {
  const { config, topology, streams } = pipeline
  const { path, type } = config.log
  const isThere = type === 'kafka' || holdsLog(path)
  const log = isThere ? await inspectPipeline(pipeline) : undefined
  try {
    const views = viewsGroup(config.name)
    const groups = [views, spareOf(views), ...streams.map(({ name }) => `${config.name}.${name}`)]
    const built = new Map<string, string>()
    for (const group of groups) built.set(group, await stateBuiltBy(config, group))
    return planChanges({
      ...{ config, topology, streams },
      last: readDeployment(path),
      topics: (await log?.names()) ?? [],
      groups: ((await log?.groups()) ?? []).map(({ group }) => group),
      differences: log === undefined ? [] : await topicDifferences(config, pipeline, log),
      builtBy: (group) => built.get(group) ?? '',
    })
  } finally {
    await log?.close()
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

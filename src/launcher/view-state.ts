import type { Position } from '../core/source.ts'
import type { EmbeddedLog } from '../log/embedded.ts'
import { getJson } from '../log/environment.ts'
import type { ReadOnlyLog } from '../log/read-only.ts'
import { StagedStore } from '../log/staged-store.ts'
import { LogTask } from '../log/task.ts'
import { State } from '../streams/state.ts'
import type { Topology } from '../streams/topology.ts'

/** Hash of the definitions that the views' state was made by; empty if there is none. */
export function viewsBuiltBy({ environment }: ReadOnlyLog, pipeline: string): string {
  const id = getJson<number>(environment.meta, `task/${viewsGroup(pipeline)}`)
  return id === undefined ? '' : new State(new StagedStore(environment.state, id)).definition
}

/** No definition has this hash. */
const outdated = 'outdated'

/** Has the next start build all views anew. Returns whether there were any. */
export async function outdateViews(
  log: EmbeddedLog,
  pipeline: string,
  topology: Topology,
): Promise<boolean> {
  const group = viewsGroup(pipeline)
  const task = new LogTask(log, group)
  const position = await task.resume('')
  if (position === undefined) return false
  new State(task.store).start(outdated, topology.keptStates)
  await task.commit({ source: group, position: position as Position, timestamp: 0 })
  return true
}

export function viewsGroup(pipeline: string): string {
  return `${pipeline}.views`
}

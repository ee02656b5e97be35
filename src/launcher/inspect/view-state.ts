import type { EmbeddedLog } from '../../log/embedded.ts'
import { getJson } from '../../log/environment.ts'
import type { ReadOnlyLog } from '../../log/read-only.ts'
import { StagedStore } from '../../log/staged-store.ts'
import { LogTask } from '../../log/task.ts'
import { State } from '../../streams/state.ts'

/** Hash of the definition that the state of a task was made by; empty if there is none. */
export function stateBuiltBy({ environment }: ReadOnlyLog, group: string): string {
  const id = getJson<number>(environment.meta, `task/${group}`)
  return id === undefined ? '' : new State(new StagedStore(environment.state, id)).definition
}

/** No definition has this hash. */
const outdated = 'outdated'

/**
 * Has the next start make the state of a task anew, but for what is `kept`. Returns whether there
 * was any.
 */
export async function outdateState(
  log: EmbeddedLog,
  group: string,
  kept: ReadonlySet<string>,
): Promise<boolean> {
  const task = new LogTask(log, group)
  const position = await task.resume('')
  if (position === undefined) return false
  new State(task.store).start(outdated, kept)
  await task.commit({ source: group, position, timestamp: 0 })
  return true
}

/** All views of a pipeline are one task. */
export function viewsGroup(pipeline: string): string {
  return `${pipeline}.views`
}

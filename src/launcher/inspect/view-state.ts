import { type ErrorCode, MillraceError } from '../../core/errors.ts'
import type { Task } from '../../core/log.ts'
import type { Store } from '../../core/store.ts'
import { openEmbeddedLog } from '../../log/embedded.ts'
import { getJson } from '../../log/environment.ts'
import { ReadOnlyLog } from '../../log/read-only.ts'
import { StagedStore } from '../../log/staged-store.ts'
import { LogTask } from '../../log/task.ts'
import { State } from '../../streams/state.ts'
import type { Config } from '../config/config.ts'
import { CommandFailure } from '../exit.ts'
import { holdsLog } from './tap.ts'

/**
 * Hash of the definition that the state of a task was made by; empty if there is none. On Kafka,
 * of what this machine has of the state.
 */
export async function stateBuiltBy({ log }: Pick<Config, 'log'>, group: string): Promise<string> {
  const definition = (store: Store) => new State(store).definition
  if (log.kafka !== undefined) {
    const { lookAtState } = await import('../../log/kafka/local-look.ts')
    return (await lookAtState(log.path, `${group}/0`, definition)) ?? ''
  }
  if (!holdsLog(log.path)) return ''
  const look = new ReadOnlyLog(log.path)
  try {
    const id = getJson<number>(look.environment.meta, `task/${group}`)
    return id === undefined ? '' : definition(new StagedStore(look.environment.state, id))
  } finally {
    await look.close()
  }
}

/**
 * Has the next start make the state of a task anew, but for what is `kept`. Returns whether there
 * was any. Throws a sentence if the pipeline runs.
 */
export async function outdateState(
  config: Config,
  group: string,
  kept: ReadonlySet<string>,
): Promise<boolean> {
  try {
    const { kafka } = config.log
    return await (kafka === undefined
      ? outdateEmbedded(config, group, kept)
      : outdateOnKafka({ config, kafka }, group, kept))
  } catch (error) {
    if (!isCode(error, 'LOG_IN_USE')) throw error
    throw new CommandFailure(`${error.message} Stop it first: it takes effect at a start.`)
  }
}

async function outdateEmbedded(
  { log: { path } }: Config,
  group: string,
  kept: ReadonlySet<string>,
): Promise<boolean> {
  if (!holdsLog(path)) return false
  const log = await openEmbeddedLog({ path })
  try {
    return await outdateTask(new LogTask(log, group), group, kept)
  } finally {
    await log.close()
  }
}

interface OnKafka {
  readonly config: Config
  readonly kafka: NonNullable<Config['log']['kafka']>
}

async function outdateOnKafka(
  { config: { name: pipeline, log: where }, kafka }: OnKafka,
  group: string,
  kept: ReadonlySet<string>,
): Promise<boolean> {
  const { openKafkaLog } = await import('../../log/kafka/kafka-log.ts')
  const log = openKafkaLog({ pipeline, path: where.path, options: kafka })
  const inspection = log.inspect()
  try {
    const members = await inspection.membersOf(group)
    if (members.length > 0) {
      throw new CommandFailure(`${group} runs (${members.join(', ')}): stop it first`)
    }
    let wasBuilt = false
    for (const task of await log.idleTasks(group)) {
      if (await outdateTask(task, group, kept)) wasBuilt = true
    }
    return wasBuilt
  } finally {
    await inspection.close()
    await log.close()
  }
}

/** No definition has this hash. */
const outdated = 'outdated'

async function outdateTask(task: Task, group: string, kept: ReadonlySet<string>): Promise<boolean> {
  const position = await task.resume('')
  if (position === undefined) return false
  new State(task.store).start(outdated, kept)
  await task.commit({ source: group, position, timestamp: 0 })
  return true
}

function isCode(error: unknown, code: ErrorCode): error is MillraceError {
  return error instanceof MillraceError && error.code === code
}

/** All views of a pipeline are one task. */
export function viewsGroup(pipeline: string): string {
  return `${pipeline}.views`
}

import { existsSync } from 'node:fs'
import type { Reading } from '../../core/reading.ts'
import type { Reindexing } from '../../core/reindexing.ts'
import type { ReadOnlyLog } from '../../log/read-only.ts'
import { type Config, loadConfig, type SinkConfig } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import type { Mask } from '../config/mask.ts'
import { didYouMean } from '../config/nearest.ts'
import type { Registry } from '../config/registry.ts'
import { openReadOnly } from '../control/data-directory.ts'
import { CommandFailure } from '../exit.ts'
import { groupOf, partName, topicToRead } from '../run/parts.ts'
import { loadViews } from '../run/views.ts'
import { holdsLog } from './tap.ts'

/** A sink as commands see it from outside: the topic that it reads, and what it has written. */
export interface Subject {
  /** The part's name: that of the sink, or `<sink>/<topic>`. */
  readonly name: string
  readonly type: string
  /** Under which its dead letters are kept. */
  readonly group: string
  /** Where the records come from that the user has named. */
  readonly origin: string
  /** What the sink reads: the same, or the table kept of it. */
  readonly topic: string
  readonly reading: Reading
  /** What is filled beside the target that serves, if this type of sink can. */
  readonly reindexing?: (() => Reindexing) | undefined
}

export interface Looking {
  readonly config: Config
  readonly mask: Mask
  readonly log: ReadOnlyLog
  readonly subjects: readonly Subject[]
  close(): Promise<void>
}

/** Opens the log, and the reading side of a sink; of all its parts if it reads several topics. */
export async function lookAt(file: string, sink: string, registry: Registry): Promise<Looking> {
  const loaded = loadConfig(file, registry, process.env)
  if (!loaded.ok) throw new CommandFailure(loaded.faults.map(showFault).join('\n'))
  const { config, mask } = loaded
  const views = await loadViews(config)
  if (!views.ok) throw new CommandFailure(views.faults.map(showFault).join('\n'))
  const found = config.sinks.find(({ name }) => name === sink.split('/')[0])
  if (found === undefined) {
    const names = config.sinks.map(({ name }) => name)
    throw new CommandFailure(`there is no sink ${JSON.stringify(sink)}${didYouMean(sink, names)}`)
  }
  const { path } = config.log
  if (!existsSync(path) || !holdsLog(path)) {
    throw new CommandFailure(`${path} holds no data of a pipeline: nothing has run there yet`)
  }
  const subjects = found.from
    .filter((from) => sink === found.name || sink === partName(found, from))
    .map((from) => ({
      name: partName(found, from),
      type: found.plugin.type,
      group: groupOf(config.name, found, from),
      origin: from.topic,
      topic: topicToRead(found, from, views.topology),
      ...openSides(config, found, from.topic),
    }))
  const log = openReadOnly(path)
  const close = async () => {
    for (const { reading } of subjects) await reading.close()
    await log.close()
  }
  return { config, mask, log, subjects, close }
}

function openSides(
  { name: pipeline }: Config,
  sink: SinkConfig,
  topic: string,
): Pick<Subject, 'reading' | 'reindexing'> {
  const { name, plugin, options } = sink
  const context = { pipeline, name, topic, partition: 0, say: () => {} }
  const reading = plugin.read?.(options, context)
  const reindexing = plugin.reindex && (() => plugin.reindex!(options, context))
  if (reading !== undefined) return { reading, reindexing }
  throw new CommandFailure(`${name}: what a sink of type ${plugin.type} has written cannot be read`)
}

import type { Reindexing } from '../../core/reindexing.ts'
import type { Inspection } from '../../log/inspection.ts'
import type { Config, SinkConfig } from '../config/config.ts'
import type { Mask } from '../config/mask.ts'
import { didYouMean } from '../config/nearest.ts'
import type { Registry } from '../config/registry.ts'
import { CommandFailure } from '../exit.ts'
import { groupOf, partName, topicToRead } from '../run/parts.ts'
import { inspectPipeline, loadPipeline } from './inspect-log.ts'
import { joinReadings, type PartitionedReading } from './partitioned-reading.ts'

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
  readonly reading: PartitionedReading
  /** What is filled beside the target that serves, if this type of sink can. */
  readonly reindexing?: ((partition?: number) => Reindexing) | undefined
  readonly partitions: number
}

export interface Looking {
  readonly config: Config
  readonly mask: Mask
  readonly log: Inspection
  readonly subjects: readonly Subject[]
  close(): Promise<void>
}

/** Opens the log, and the reading side of a sink; of all its parts if it reads several topics. */
export async function lookAt(file: string, sink: string, registry: Registry): Promise<Looking> {
  const pipeline = await loadPipeline(file, registry)
  const { config, mask, topology } = pipeline
  const found = config.sinks.find(({ name }) => name === sink.split('/')[0])
  if (found === undefined) {
    const names = config.sinks.map(({ name }) => name)
    throw new CommandFailure(`there is no sink ${JSON.stringify(sink)}${didYouMean(sink, names)}`)
  }
  const log = await inspectPipeline(pipeline)
  const subjects: Subject[] = []
  for (const from of found.from) {
    if (sink !== found.name && sink !== partName(found, from)) continue
    const topic = topicToRead(found, from, topology)
    subjects.push({
      name: partName(found, from),
      type: found.plugin.type,
      group: groupOf(config.name, found, from),
      ...{ origin: from.topic, topic },
      ...openSides(config, found, { topic: from.topic, partitions: await log.partitions(topic) }),
    })
  }
  const close = async () => {
    for (const { reading } of subjects) await reading.close()
    await log.close()
  }
  return { config, mask, log, subjects, close }
}

function openSides(
  { name: pipeline, log }: Config,
  sink: SinkConfig,
  { topic, partitions }: { readonly topic: string; readonly partitions: number },
): Pick<Subject, 'reading' | 'reindexing' | 'partitions'> {
  const { name, plugin, options } = sink
  const shared = log.kafka !== undefined
  const contextOf = (partition: number) => {
    return { pipeline, name, topic, partition, shared, say: () => {} }
  }
  const { read, reindex } = plugin
  if (read === undefined) {
    const what = `what a sink of type ${plugin.type} has written cannot be read`
    throw new CommandFailure(`${name}: ${what}`)
  }
  const others = Array.from({ length: Math.max(0, partitions - 1) }, (_, i) => i + 1)
  const reading = joinReadings([
    read(options, contextOf(0)),
    ...others.map((partition) => read(options, contextOf(partition))),
  ])
  const reindexing = reindex && ((partition = 0) => reindex(options, contextOf(partition)))
  return { reading, reindexing, partitions: Math.max(1, partitions) }
}

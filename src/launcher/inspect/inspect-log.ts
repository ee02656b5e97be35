import { inspectDirectory } from '../../log/embedded-inspection.ts'
import type { Inspection } from '../../log/inspection.ts'
import { type Config, loadConfig, readLogType } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import type { Mask } from '../config/mask.ts'
import { type Registry, registry } from '../config/registry.ts'
import { findDataDirectory, type Named } from '../control/data-directory.ts'
import { CommandFailure } from '../exit.ts'
import { keptOnKafka, ownTopics, type Planned } from '../run/kafka-topics.ts'
import { loadViews } from '../run/views.ts'
import { holdsLog } from './tap.ts'

export interface InspectedPipeline extends Planned {
  readonly config: Config
  readonly mask: Mask
}

/** A configuration with its views. Throws its faults as sentences. */
export async function loadPipeline(file: string, known: Registry): Promise<InspectedPipeline> {
  const loaded = loadConfig(file, known, process.env)
  if (!loaded.ok) throw new CommandFailure(loaded.faults.map(showFault).join('\n'))
  const views = await loadViews(loaded.config)
  if (!views.ok) throw new CommandFailure(views.faults.map(showFault).join('\n'))
  return { ...loaded, ...views }
}

/**
 * The log that a command means, to be looked into. An embedded log is found by its directory, be
 * the rest of the configuration as it may; topics on Kafka need all of it.
 */
export async function inspectLog(named: Named, known: Registry = registry): Promise<Inspection> {
  const { file, data } = named
  if (file !== undefined && data === undefined && isOnKafka(file)) {
    return inspectPipeline(await loadPipeline(file, known))
  }
  const directory = findDataDirectory(named, process.env)
  if (holdsLog(directory)) return inspectDirectory(directory)
  throw new CommandFailure(`the log of ${directory} is on Kafka: name the configuration file`)
}

/** The log of a pipeline. Throws a sentence if nothing has run there yet. */
export async function inspectPipeline(pipeline: InspectedPipeline): Promise<Inspection> {
  const { name, log } = pipeline.config
  if (log.kafka === undefined) {
    if (holdsLog(log.path)) return inspectDirectory(log.path)
    throw new CommandFailure(`${log.path} holds no data of a pipeline: nothing has run there yet`)
  }
  const { inspectKafka } = await import('../../log/kafka/inspection.ts')
  const isOurs = ownTopics(pipeline.config, pipeline)
  const keep = keptOnKafka(pipeline.config, pipeline.topology)
  return inspectKafka({ pipeline: name, options: log.kafka, keep, isOurs })
}

/** Also of a file that has faults elsewhere. */
function isOnKafka(file: string): boolean {
  return readLogType(file, process.env) === 'kafka'
}

import type { TopicMaker } from '../../log/kafka/topic-maker.ts'
import { type Registry, registry } from '../config/registry.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import { type InspectedPipeline, inspectPipeline, loadPipeline } from '../inspect/inspect-log.ts'
import { holdsLog } from '../inspect/tap.ts'
import { topicDifferences } from '../inspect/topic-differences.ts'
import { showPolicy } from '../inspect/topic-report.ts'
import { policyOfConfig } from '../run/cleaning.ts'
import { keptOnKafka, topicsOf } from '../run/kafka-topics.ts'
import { openTerminal } from '../terminal.ts'

export interface CreateOptions {
  readonly json?: boolean | undefined
  readonly dryRun?: boolean | undefined
  readonly registry?: Registry
}

/** What became of one topic. */
interface Created {
  readonly topic: string
  readonly did: 'made' | 'exists' | 'differs' | 'waits'
  readonly what: string
}

/**
 * `millrace topics create FILE`: makes the topics that the configuration names. What exists is left
 * as it is, and told if it is other than configured.
 */
export async function createTopics(file: string, options: CreateOptions = {}): Promise<ExitCode> {
  const { json = false, dryRun = false, registry: known = registry } = options
  const pipeline = await loadPipeline(file, known)
  const terminal = openTerminal(pipeline.mask)
  const { kafka } = pipeline.config.log
  const created = kafka === undefined ? await tellEmbedded(pipeline) : onKafka(pipeline, dryRun)
  let isAsConfigured = true
  for await (const each of created) {
    await terminal.print(json ? JSON.stringify(each) : `${each.topic}: ${each.what}`)
    if (each.did === 'differs') isAsConfigured = false
  }
  if (pipeline.config.topics === undefined) {
    terminal.note('tables chosen by patterns get their topics with their first records')
  }
  return isAsConfigured ? exitCodes.ok : exitCodes.changes
}

/** A topic there has no shape that would have to be made before its first record. */
async function tellEmbedded(pipeline: InspectedPipeline): Promise<readonly Created[]> {
  const { config, topology } = pipeline
  const policyOf = policyOfConfig(config, topology)
  const known = new Set(await embeddedTopics(pipeline))
  return topicsOf(config, pipeline).map((topic) => {
    const cleanup = `cleanup: ${showPolicy(policyOf(topic))}`
    if (known.has(topic)) return { topic, did: 'exists', what: `exists; ${cleanup}` }
    return { topic, did: 'waits', what: `is made with its first record; ${cleanup}` }
  })
}

async function embeddedTopics(pipeline: InspectedPipeline): Promise<readonly string[]> {
  if (!holdsLog(pipeline.config.log.path)) return []
  const log = await inspectPipeline(pipeline)
  return log.names().finally(() => log.close())
}

async function* onKafka(pipeline: InspectedPipeline, dryRun: boolean): AsyncGenerator<Created> {
  const { config, topology } = pipeline
  const { topicMaker } = await import('../../log/kafka/topic-maker.ts')
  const keep = keptOnKafka(config, topology)
  const maker = topicMaker({ pipeline: config.name, options: config.log.kafka!, keep })
  const log = await inspectPipeline(pipeline)
  try {
    const existing = await topicDifferences(config, pipeline, log)
    const known = new Map(existing.map(({ topic, differences }) => [topic, differences]))
    for (const topic of topicsOf(config, pipeline)) {
      const differences = known.get(topic)
      if (differences !== undefined) yield found(topic, differences)
      else yield await make(topic, maker, { dryRun, cleanup: showPolicy(keep(topic)) })
    }
  } finally {
    await maker.close()
    await log.close()
  }
}

function found(topic: string, differences: readonly string[]): Created {
  if (differences.length === 0) return { topic, did: 'exists', what: 'exists, as configured' }
  const what = `exists, and is left as it is: ${differences.join('; ')}`
  return { topic, did: 'differs', what }
}

async function make(
  topic: string,
  maker: TopicMaker,
  { dryRun, cleanup }: { readonly dryRun: boolean; readonly cleanup: string },
): Promise<Created> {
  const { partitions, replication, isForeign = false } = maker.policyOf(topic)
  if (isForeign) return { topic, did: 'waits', what: 'is not there: others make it' }
  if (!dryRun) await maker.create(topic)
  const copies = replication < 0 ? "the cluster's replication" : `replication ${replication}`
  const spread = partitions === 1 ? '1 partition' : `${partitions} partitions`
  const shape = `made with ${spread}, ${copies}, cleanup: ${cleanup}`
  return dryRun
    ? { topic, did: 'waits', what: `would be ${shape}` }
    : { topic, did: 'made', what: shape }
}

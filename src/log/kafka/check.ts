import { describeError, MillraceError } from '../../core/errors.ts'
import type { Finding } from '../../core/plugin.ts'
import { keepAll } from '../../core/topic-policy.ts'
import type { RegistryClient } from '../registry/client.ts'
import { accessOf } from './access.ts'
import { Cluster } from './cluster.ts'
import { openRegistry } from './formats.ts'
import type { KafkaOptions, RegistryOptions } from './options.ts'
import { checkRights } from './rights.ts'
import { policyOf } from './topics.ts'

export interface Checked {
  readonly pipeline: string
  readonly options: KafkaOptions
  /** The topics that the pipeline reads and writes, as far as they are known. */
  readonly topics: readonly string[]
}

/** Looks for what would go wrong later. Changes nothing. */
export async function* checkKafka({ pipeline, options, topics }: Checked): AsyncGenerator<Finding> {
  let cluster: Cluster | undefined
  try {
    cluster = new Cluster(accessOf({ pipeline, options }))
    const existing = new Set(await cluster.refresh(null))
    yield* checkBrokers(cluster, await cluster.id())
    yield* checkCoordinators(cluster, pipeline)
    if (options.registry !== undefined) yield await checkRegistry(options.registry)
    const makesTopics = topics.some((topic) => !existing.has(topic))
    yield* checkRights(cluster, { pipeline, topics, makesTopics })
    for (const topic of topics) {
      if (existing.has(topic)) yield* checkTopic(cluster, topic, options)
      else yield absent(topic, options)
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    yield { level: 'error', what: describeError(error) }
  } finally {
    await cluster?.close()
  }
}

async function* checkBrokers(cluster: Cluster, id: string): AsyncGenerator<Finding> {
  const brokers = cluster.brokers
  yield { level: 'ok', what: `the cluster ${id} answers, with ${brokers} brokers` }
  if (brokers >= 3) return
  yield {
    level: 'warning',
    what: `${brokers} brokers: while one is away, its topics cannot be written, or are lost with it`,
    hint: 'Three are the least that survive one without a stop.',
  }
}

/** Both are asked for at the start of every writer and reader. */
async function* checkCoordinators(cluster: Cluster, pipeline: string): AsyncGenerator<Finding> {
  for (const kind of ['transaction', 'group'] as const) {
    try {
      await cluster.coordinator(kind, `${pipeline}.doctor`)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      yield { level: 'error', what: describeError(error) }
    }
  }
}

async function checkRegistry(options: RegistryOptions): Promise<Finding> {
  let registry: RegistryClient | undefined
  try {
    registry = openRegistry(options)
    await registry.check()
    return { level: 'ok', what: `the schema registry at ${new URL(options.url).host} answers` }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return { level: 'error', what: describeError(error) }
  } finally {
    registry?.close()
  }
}

function absent(topic: string, options: KafkaOptions): Finding {
  if (!policyOf(topic, { options, keep: () => keepAll }).isForeign) {
    return { level: 'ok', what: `the topic ${topic} will be made` }
  }
  return {
    level: 'error',
    what: `there is no topic ${topic}, which others write`,
    hint: 'It is not made by us; correct its name under `topics`, or create it.',
  }
}

async function* checkTopic(
  cluster: Cluster,
  topic: string,
  options: KafkaOptions,
): AsyncGenerator<Finding> {
  const found = await cluster.topic(topic)
  const { partitions: wanted, isForeign } = policyOf(topic, { options, keep: () => keepAll })
  const partitions = found?.leaders.length ?? 0
  if (partitions === wanted || isForeign) yield { level: 'ok', what: `the topic ${topic} exists` }
  else {
    yield {
      level: 'warning',
      what: `the topic ${topic} has ${partitions} partitions, the configuration asks for ${wanted}`,
      hint: 'It is left as it is: keys would move to other partitions.',
    }
  }
  if (found?.leaders.every((leader) => leader >= 0)) return
  yield { level: 'error', what: `a partition of ${topic} has no leader: a broker is away` }
}

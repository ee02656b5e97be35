/*
 * Topics in which the tasks of a topology tell each other. What has been read is deleted, and with
 * another definition the whole topic: whoever comes back to the old one begins anew.
 */
import { deleteRecordsV2, deleteTopicsV6 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { isFault } from './fault.ts'

const ending = '.repartition'

export function isHopsTopic(topic: string): boolean {
  return topic.endsWith(ending)
}

/** Deletes those of other definitions of the same topology. */
export async function dropOlderHops(cluster: Cluster, topic: string): Promise<void> {
  const head = topic.slice(0, topic.lastIndexOf('.', topic.length - ending.length - 1) + 1)
  const isOlder = (name: string) => {
    const hash = name.slice(head.length, -ending.length)
    return name.startsWith(head) && isHopsTopic(name) && name !== topic && !hash.includes('.')
  }
  const older = (await cluster.refresh(null)).filter(isOlder)
  if (older.length === 0) return
  const topics = older.map((name) => ({ name, topicId: noTopicId }))
  try {
    await cluster.controlled(`Delete ${older}`, deleteTopicsV6.api, topics, 15_000)
  } catch (error) {
    // Another process was faster.
    if (!isFault(error, 'UNKNOWN_TOPIC_OR_PARTITION')) throw error
  }
  cluster.forget()
}

/** Topics are named by name here. */
const noTopicId = '00000000-0000-0000-0000-000000000000'

export interface ReadSpan {
  readonly topic: string
  readonly partition: number
  /** The offset that comes next. */
  readonly next: number
}

/** Deletes what was read, and is committed. */
export async function dropRead(cluster: Cluster, { topic, partition, next }: ReadSpan) {
  const partitions = [{ partitionIndex: partition, offset: BigInt(next) }]
  const leader = await cluster.leader(topic, partition)
  const what = `Delete records of ${topic}`
  await cluster.call(leader, what, deleteRecordsV2.api, [{ name: topic, partitions }], 15_000)
}

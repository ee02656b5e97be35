import { setTimeout as sleep } from 'node:timers/promises'
import type { Position } from '../../core/source.ts'
import type { Cluster } from './cluster.ts'
import { scanPartition } from './scan-partition.ts'

/** What a writer's source position looks like in the log: the newest record counts. */
export interface StoredPosition {
  readonly position: Position | null
  readonly timestamp: number
  /** Inside a commit: the partitions that have records of it and not yet its end. */
  readonly open?: readonly OpenPartition[]
}

export type OpenPartition = readonly [topic: string, partition: number]

/** Each writer has a topic for its position, so that nobody else's open transaction hides it. */
export function positionTopic(writer: string): string {
  return `__millrace.${writer}.position`
}

/** The writers of a pipeline that have such a topic. */
export function positionWriters(topics: readonly string[], pipeline: string): readonly string[] {
  return topics
    .map((topic) => /^__millrace\.(.*)\.position$/.exec(topic)?.[1] ?? '')
    .filter((writer) => writer.startsWith(`${pipeline}.`))
}

const key = Buffer.from('position')

export function positionEntry(stored: StoredPosition) {
  return { key, value: Buffer.from(JSON.stringify(stored)), timestamp: Date.now() }
}

/** A commit shows some milliseconds after it was decided. */
const settleMs = 300

/** Reads the newest position. One that is being committed just now is waited for, for a moment. */
export async function readPosition(
  cluster: Cluster,
  writer: string,
): Promise<Position | undefined> {
  return (await readSettled(cluster, writer))?.position ?? undefined
}

/** The same with all that is stored. */
export async function readSettled(
  cluster: Cluster,
  writer: string,
): Promise<StoredPosition | undefined> {
  const topic = positionTopic(writer)
  const deadline = performance.now() + settleMs
  while ((await isOpen(cluster, topic)) && performance.now() < deadline) await sleep(10)
  return readStored(cluster, writer)
}

/** The newest position that was committed, as it is stored. */
export async function readStored(
  cluster: Cluster,
  writer: string,
): Promise<StoredPosition | undefined> {
  let newest: StoredPosition | undefined
  const span = { topic: positionTopic(writer), partition: 0, from: 0 }
  await scanPartition(cluster, span, (record) => {
    if (record.value !== null) newest = JSON.parse(record.value.toString()) as StoredPosition
  })
  return newest
}

/** Whether the end of a transaction is missing. */
async function isOpen(cluster: Cluster, topic: string): Promise<boolean> {
  const [stable] = await cluster.offsets(topic, 'stable')
  const [end] = await cluster.offsets(topic, 'end')
  return stable !== end
}

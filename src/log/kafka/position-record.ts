import { setTimeout as sleep } from 'node:timers/promises'
import type { Position } from '../../core/source.ts'
import type { Cluster } from './cluster.ts'
import { scanPartition } from './scan-partition.ts'

/** What a writer's source position looks like in the log: the newest record counts. */
export interface StoredPosition {
  readonly position: Position | null
  readonly timestamp: number
}

/** Each writer has a topic for its position, so that nobody else's open transaction hides it. */
export function positionTopic(writer: string): string {
  return `__millrace.${writer}.position`
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
  const topic = positionTopic(writer)
  const deadline = performance.now() + settleMs
  while ((await isOpen(cluster, topic)) && performance.now() < deadline) await sleep(10)
  let newest: StoredPosition | undefined
  await scanPartition(cluster, { topic, partition: 0, from: 0 }, (record) => {
    if (record.value !== null) newest = JSON.parse(record.value.toString()) as StoredPosition
  })
  return newest?.position ?? undefined
}

/** Whether the end of a transaction is missing. */
async function isOpen(cluster: Cluster, topic: string): Promise<boolean> {
  const [stable] = await cluster.offsets(topic, 'stable')
  const [end] = await cluster.offsets(topic, 'end')
  return stable !== end
}

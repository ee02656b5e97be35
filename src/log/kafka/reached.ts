import { setTimeout as sleep } from 'node:timers/promises'
import { laneName, type Spread } from '../../core/log.ts'
import type { Position } from '../../core/source.ts'
import { committedOf } from './group-state.ts'
import { isHopsTopic } from './hops.ts'
import type { KafkaLog } from './kafka-log.ts'
import { decodePosition, readPlaceName } from './position.ts'
import { readSettled } from './position-record.ts'

export interface Awaited {
  readonly group: string
  readonly topics: readonly string[]
  readonly spread?: Spread | undefined
  readonly partition: number
  /** Writers of the topics, and whether what they have written goes far enough. */
  readonly writers: readonly string[]
  readonly isFar: (position: Position) => boolean
}

const everyMs = 20

/**
 * Waits until a task's state, as this process has it, holds all that writers wrote up to a place,
 * whichever processes the writers and the other tasks run in. False if `signal` aborts first.
 */
export async function untilReached(
  log: KafkaLog,
  awaited: Awaited,
  signal: AbortSignal,
): Promise<boolean> {
  const inspection = log.inspect()
  const { cluster } = inspection
  const until = async (isSo: () => boolean | Promise<boolean>) => {
    while (!signal.aborted && !(await isSo())) await sleep(everyMs)
  }
  try {
    for (const writer of awaited.writers) {
      await until(async () => {
        const position = (await readSettled(cluster, writer))?.position
        return position !== undefined && position !== null && awaited.isFar(position)
      })
    }
    const committed = async (): Promise<Ends> => {
      const found = [...(await committedOf(cluster, awaited.group))]
      return new Map(
        found.flatMap(([topic, lanes]) => {
          return [...lanes].map(([partition, next]) => [laneName(topic, partition), next] as const)
        }),
      )
    }
    let goal: Ends = await endsOf(log, awaited.topics)
    const hops = awaited.topics.filter(isHopsTopic)
    if (hops.length > 0) {
      const shared = withoutWhole(goal, awaited)
      await until(async () => covers(await committed(), shared))
      // What came of it was told to other tasks, and they may have told others.
      for (let before: Ends | undefined; !signal.aborted && !isSame(before, goal); ) {
        before = goal
        goal = await endsOf(log, hops)
        const wanted = goal
        await until(async () => covers(await committed(), wanted))
      }
      const own = laneName(hops[0]!, awaited.partition)
      goal = new Map([...goal].filter(([lane]) => lane === own))
    }
    await until(() => covers(heldUntil(log, awaited), goal))
    return !signal.aborted
  } finally {
    await inspection.close()
  }
}

/** By `laneName`, the offset that comes next. */
type Ends = ReadonlyMap<string, bigint>

function endsOf(log: KafkaLog, topics: readonly string[]): Promise<Ends> {
  return log.ends(topics, 0, { tasks: 1 })
}

/** Without the topics that every task reads whole: for them nothing is committed. */
function withoutWhole(ends: Ends, { spread }: Awaited): Ends {
  const whole = spread?.everywhere ?? []
  return new Map([...ends].filter(([lane]) => !whole.includes(lane.split('/')[0]!)))
}

function covers(next: Ends, goal: Ends): boolean {
  return [...goal].every(([lane, end]) => end === 0n || (next.get(lane) ?? 0n) >= end)
}

function isSame(a: Ends | undefined, b: Ends): boolean {
  return a !== undefined && covers(a, b) && covers(b, a)
}

function heldUntil(log: KafkaLog, { group, partition }: Awaited): Ends {
  const position = log.replicas(group).replica(partition)?.position
  const places = (position && decodePosition(position)?.topics) || new Map<string, never>()
  return new Map(
    [...places].map(([name, { next }]) => {
      const place = readPlaceName(name, partition)
      return [laneName(place.topic, place.partition), BigInt(next)] as const
    }),
  )
}

import type { LogRecord, NewRecord } from './record.ts'
import type { Sink } from './sink.ts'
import type { Position, Source } from './source.ts'
import type { Store } from './store.ts'

/** Ordered, durable topics: the only place where sources, views and sinks meet. */
export interface Log {
  /**
   * A sink that appends. Records, and the position of the source they came from, become durable and
   * visible together. `name` says who writes; two writers of one name must not be open at once.
   */
  writer(name: string): Sink<NewRecord>

  /**
   * The partitions that this process shall read on behalf of a consumer group, each as it is
   * assigned. Ends when `signal` aborts. The embedded log yields one assignment with all topics.
   * Without `spread`, topics with partitions are read number by number, and have equally many.
   */
  assignments(
    topics: readonly string[],
    group: string,
    signal: AbortSignal,
    spread?: Spread,
  ): AsyncIterable<Assignment>

  /**
   * Where refused records wait: appended to `<topic>.dlq`, each once however often it is refused.
   */
  deadLetters(sink: string): DeadLetters

  describe(): Promise<LogInfo>

  /**
   * Of what an assignment reads, by `laneName`, the offset behind the last record. Absent: the ends
   * that `describe` gives are those; elsewhere they may count more than records.
   */
  ends?(
    topics: readonly string[],
    partition: number,
    spread?: Spread,
  ): Promise<ReadonlyMap<string, bigint>>

  close(): Promise<void>
}

/** How the work on partitions is shared. */
export interface Spread {
  /**
   * So many tasks share all partitions: the n-th reads each whose number leaves n as remainder.
   * Without, each reads one partition of every topic.
   */
  readonly tasks?: number
  /** The name of the task, where others keep copies of its state. */
  readonly task?: string
  /** Topics that every task reads whole. */
  readonly everywhere?: readonly string[]
}

/** A partition of a topic as text: the topic's name, and its number if that is not 0. */
export function laneName(topic: string, partition: number): string {
  return partition === 0 ? topic : `${topic}/${partition}`
}

/** Which partitions of a topic are read by whoever has an assignment. */
export function partitionsToRead(
  topic: string,
  partitions: number,
  { partition, spread }: { readonly partition: number; readonly spread?: Spread | undefined },
): readonly number[] {
  const tasks = spread?.tasks
  if (tasks === undefined) return [partition]
  const all = Array.from({ length: partitions }, (_, number) => number)
  if (spread?.everywhere?.includes(topic)) return all
  return all.filter((number) => number % tasks === partition)
}

export interface Assignment {
  /** Of co-partitioned topics: this partition of each of them. Of a spread: the task's number. */
  readonly partition: number
  readonly source: Source<LogRecord>
  /** For views: outputs, state and input position in one transaction. */
  task(name: string): Task
  /** Aborts when the partition is taken away. */
  readonly signal: AbortSignal
  /** To be called once nothing is done with the partition any more: another process may have it. */
  readonly release?: () => void
}

/** A writer with state. What its store holds is committed with its records and its position. */
export interface Task extends Sink<NewRecord> {
  readonly store: Store
}

export type DeadLetters = (letters: readonly DeadLetter[]) => Promise<void>

export interface DeadLetter {
  readonly record: LogRecord
  readonly code: string
  readonly reason: string
}

export interface LogInfo {
  readonly topics: readonly TopicInfo[]
  /** Sequence of the newest visible commit: the distance to it is a reader's lag. */
  readonly head: bigint
  readonly groups: readonly GroupInfo[]
}

export interface TopicInfo {
  readonly topic: string
  readonly partitions: readonly { readonly start: bigint; readonly end: bigint }[]
  /** The sequence behind the newest record: a group that has come so far has read everything. */
  readonly sequence: bigint
  /** Time of the newest record, in ms since 1970; 0 if unknown. */
  readonly timestamp: number
}

export interface GroupInfo {
  readonly group: string
  readonly position: Position
  /** Sequence of the commit that the group has come to. */
  readonly sequence: bigint
  /** Where partitions are read by several processes: how far each is. */
  readonly partitions?: readonly PartitionLag[]
  /** These processes. */
  readonly members?: readonly string[]
}

export interface PartitionLag {
  readonly topic: string
  readonly partition: number
  /** The offset that comes next. */
  readonly next: bigint
  /** The offset behind everything that can be read. */
  readonly end: bigint
}

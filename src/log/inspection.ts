import type { LogRecord } from '../core/record.ts'
import type { Position } from '../core/source.ts'
import type { TopicPolicy } from '../core/topic-policy.ts'
import type { Letter } from './letter.ts'

/**
 * A log as commands look into it while others may write it: of what they see everything is
 * committed. It joins no group, claims nothing and changes nothing.
 */
export interface Inspection {
  /** Tells this log from others. */
  identity(): Promise<string>

  /** The names of the pipeline's topics; of all topics in an embedded log. */
  names(): Promise<readonly string[]>
  /** What is known of these topics; those that do not exist are left out. */
  topics(names: readonly string[]): Promise<readonly TopicFacts[]>
  groups(): Promise<readonly GroupFacts[]>
  /** The sequence of the next commit; on Kafka, the sum of the ends of the pipeline's topics. */
  head(): Promise<number>
  writers(): Promise<readonly WriterFacts[]>

  /** How many partitions a topic has; none: it does not exist. */
  partitions(topic: string): Promise<number>

  /** The partition that records of a key go to. */
  partitionOf(topic: string, key: Uint8Array): Promise<number>

  /** Reads a topic bit by bit; with places from them on, and their partitions only. */
  scan(topic: string, from?: readonly RecordPlace[]): TopicScan

  /** The record at a place that was seen before; undefined if the log no longer holds it. */
  recordAt(topic: string, place: RecordPlace): Promise<LogRecord | undefined>

  /** Whether a reader of the topic that has come to `position` has read what lies at a place. */
  isPassed(position: Position | null, topic: string, place: RecordPlace): boolean

  letters(): Promise<readonly Letter[]>
  /** Each letter with its record as it was refused, unless the log no longer holds that. */
  withRecords(letters: readonly Letter[]): AsyncIterable<LetterWithRecord>

  /**
   * By partition, the position of a reader of these topics that is meant, and the number of records
   * from there on. Throws a sentence if there is no such place.
   */
  placesFor(topics: readonly string[], to: Destination): Promise<ReadonlyMap<number, PlaceFound>>

  close(): Promise<void>
}

/** Where a record lies. A log on Kafka has no use for the sequence, an embedded one none else. */
export type RecordPlace = Pick<LogRecord, 'partition' | 'offset' | 'sequence'>

export interface TopicScan {
  /** Reads on to what is there by now, each partition in its order. */
  more(): AsyncIterable<LogRecord>
}

export interface LetterWithRecord {
  readonly letter: Letter
  readonly record: LogRecord | undefined
}

/** Where to read from; a time in ms since 1970, a sequence on the embedded log only. */
export type Destination =
  | 'beginning'
  | 'end'
  | { readonly time: number }
  | { readonly sequence: number }
  | { readonly offset: number; readonly partition?: number | undefined }

export interface PlaceFound {
  readonly position: Position
  /** As people say it: `sequence 12`, `offset 7`. */
  readonly place: string
  readonly records: number
}

/** That there is no such place in a log. */
export class NoSuchPlace extends Error {
  override readonly name = 'NoSuchPlace'
}

export interface TopicFacts {
  readonly topic: string
  /** Offset of the first record that is left, and of the next that will come. */
  readonly partitions: readonly { readonly start: number; readonly end: number }[]
  /** About how many bytes are stored; null if that may not be known. */
  readonly bytes: number | null
  /** Time of the newest record, in ms since 1970; 0 if there is none. */
  readonly newest: number
  /** Whoever has not come to this sequence has missed something; 0 on Kafka. */
  readonly floor: number
  /** Below this sequence there is one record for each key; 0 on Kafka. */
  readonly compactedTo: number
  /** Who writes it, as far as the log knows. */
  readonly writers: readonly string[]
  /** What the topic says itself that it keeps. */
  readonly policy?: TopicPolicy
  readonly replication?: number
  /** Kafka's settings, all of them. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface GroupFacts {
  readonly group: string
  readonly topics: readonly string[]
  /** How far it has come: a sequence, or on Kafka the sum of its offsets. */
  readonly sequence: number
  /** Commits, of any topic, between it and the newest one; on Kafka, offsets in its own. */
  readonly behind: number
  /** When it was last part of a running pipeline, in ms since 1970; null if unknown. */
  readonly seenAt: number | null
  readonly partitions?: readonly PartitionFacts[]
  /** Processes that read for it by now. */
  readonly members?: readonly string[]
}

export interface PartitionFacts {
  readonly topic: string
  readonly partition: number
  /** The offset that it reads next. */
  readonly next: number
  readonly end: number
}

export interface WriterFacts {
  readonly writer: string
  readonly position: Position
  /** Time of the newest record before the position, in ms since 1970; 0 if unknown. */
  readonly timestamp: number
}

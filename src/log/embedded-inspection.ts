import type { LogRecord } from '../core/record.ts'
import type { Position } from '../core/source.ts'
import { storedGroups } from './groups.ts'
import {
  type Destination,
  type GroupFacts,
  type Inspection,
  type LetterWithRecord,
  NoSuchPlace,
  type PlaceFound,
  type RecordPlace,
  type TopicFacts,
  type TopicScan,
  type WriterFacts,
} from './inspection.ts'
import type { Lane } from './lanes.ts'
import { type Letter, lettersOf, recordOf } from './letter.ts'
import { decodePosition, encodePosition, startOf } from './position.ts'
import { ReadOnlyLog } from './read-only.ts'
import type { Readable } from './readable.ts'
import { positionSince, recordAt, scanTopic } from './scan.ts'

/** Looks into the log of a directory, which another process may be writing. */
export function inspectDirectory(path: string): Inspection {
  const log = new ReadOnlyLog(path)
  return new EmbeddedInspection(
    log,
    () => log.lanes.refresh(),
    () => log.close(),
  )
}

/** Looks into the log that this process writes. */
export function inspectOwn(log: Readable): Inspection {
  return new EmbeddedInspection(log)
}

class EmbeddedInspection implements Inspection {
  readonly #log: Readable
  readonly #refresh: () => void
  readonly close: () => Promise<void>

  constructor(log: Readable, refresh = () => {}, close = async () => {}) {
    this.#log = log
    this.#refresh = refresh
    this.close = close
  }

  async identity(): Promise<string> {
    return this.#log.history[0]?.id ?? ''
  }

  async names(): Promise<readonly string[]> {
    return [...this.#log.lanes.all].map(({ topic }) => topic).sort()
  }

  async topics(names: readonly string[]): Promise<readonly TopicFacts[]> {
    return names.flatMap((name) => this.#log.lanes.get(name) ?? []).map(factsOf)
  }

  async groups(): Promise<readonly GroupFacts[]> {
    const { environment, head } = this.#log
    return [...storedGroups(environment)].map(([group, { topics, position, seenAt }]) => {
      const sequence = decodePosition(position)?.sequence ?? 0
      const behind = Math.max(0, head - Math.max(1, sequence))
      return { group, topics, sequence, behind, seenAt }
    })
  }

  async head(): Promise<number> {
    return this.#log.head
  }

  async writers(): Promise<readonly WriterFacts[]> {
    return [...this.#log.environment.positions.getRange()].map(({ key, value }) => {
      return { writer: key, ...(JSON.parse(value.toString()) as Omit<WriterFacts, 'writer'>) }
    })
  }

  async partitions(topic: string): Promise<number> {
    return this.#log.lanes.get(topic) === undefined ? 0 : 1
  }

  async partitionOf(): Promise<number> {
    return 0
  }

  scan(topic: string, from: readonly RecordPlace[] = []): TopicScan {
    const [log, refresh] = [this.#log, this.#refresh]
    let next = from.length === 0 ? 0 : Math.min(...from.map(({ sequence }) => Number(sequence)))
    return {
      async *more() {
        refresh()
        for await (const record of scanTopic(log, topic, {
          from: next,
          end: visible(log, topic),
        })) {
          next = Number(record.sequence) + 1
          yield record
        }
      },
    }
  }

  async recordAt(topic: string, { sequence, offset }: RecordPlace): Promise<LogRecord | undefined> {
    return recordAt(this.#log, topic, { sequence: Number(sequence), offset })
  }

  isPassed(position: Position | null, _topic: string, { sequence }: RecordPlace): boolean {
    return ((position && decodePosition(position)?.sequence) ?? 0) > Number(sequence)
  }

  async letters(): Promise<readonly Letter[]> {
    return [...lettersOf(this.#log)]
  }

  async *withRecords(letters: readonly Letter[]): AsyncGenerator<LetterWithRecord> {
    for (const letter of letters) yield { letter, record: recordOf(this.#log, letter) }
  }

  async placesFor(
    topics: readonly string[],
    to: Destination,
  ): Promise<ReadonlyMap<number, PlaceFound>> {
    const sequence = this.#withoutGap(topics, await this.#sequenceOf(topics, to))
    const position = positionAt(this.#log, sequence)
    const records = await this.#countFrom(topics, sequence)
    return new Map([[0, { position, place: `sequence ${sequence}`, records }]])
  }

  async #sequenceOf(topics: readonly string[], to: Destination): Promise<number> {
    const log = this.#log
    if (to === 'beginning') return 0
    if (to === 'end') return log.head
    if ('time' in to) {
      const since = await positionSince(log, topics, to.time)
      if (since !== undefined) return decodePosition(since)!.sequence
      throw new NoSuchPlace(`no record of ${topics.join(', ')} is as new as that`)
    }
    if ('offset' in to) return this.#sequenceAt(topics, to)
    if (to.sequence <= log.head) return to.sequence
    throw new NoSuchPlace(`the log has come to sequence ${log.head}, not to ${to.sequence}`)
  }

  async #sequenceAt(
    topics: readonly string[],
    { offset, partition = 0 }: { readonly offset: number; readonly partition?: number | undefined },
  ): Promise<number> {
    const [topic = ''] = topics
    if (partition > 0) throw new NoSuchPlace(`${topic} has no partition ${partition}`)
    const end = visible(this.#log, topic)
    for await (const record of scanTopic(this.#log, topic, { end })) {
      if (Number(record.offset) >= offset) return Number(record.sequence)
    }
    throw new NoSuchPlace(`no record of ${topic} has the offset ${offset}, or a greater one`)
  }

  /** Where something was removed since, reading begins at the beginning: more than asked for. */
  #withoutGap(topics: readonly string[], sequence: number): number {
    const floor = Math.max(...topics.map((topic) => this.#log.lanes.get(topic)?.floor ?? 0))
    return sequence < floor ? 0 : sequence
  }

  async #countFrom(topics: readonly string[], from: number): Promise<number> {
    let count = 0
    for (const topic of topics) {
      const end = visible(this.#log, topic)
      for await (const _ of scanTopic(this.#log, topic, { from, end })) count++
    }
    return count
  }
}

function factsOf(lane: Lane): TopicFacts {
  const { topic, start, nextOffset, bytes, timestamp, floor, clean, writers } = lane
  return {
    topic,
    partitions: [{ start, end: nextOffset }],
    ...{ bytes, newest: timestamp, floor, compactedTo: clean },
    writers: [...writers],
  }
}

function visible(log: Readable, topic: string): number {
  return log.visible([topic])
}

function positionAt(log: Readable, sequence: number): Position {
  return encodePosition({ start: startOf(log.history, sequence), sequence, ordinal: 0 })
}

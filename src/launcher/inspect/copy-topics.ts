/*
 * How far a copy has come is the position of its writer in the log that is written:
 *
 *   {"v":1,"from":"<identity>","topics":{"orders":{"0":["<offset>","<sequence>"]}}}
 *
 * with the last record that was copied of each partition.
 */
import type { Log } from '../../core/log.ts'
import type { LogRecord, NewRecord } from '../../core/record.ts'
import type { Sink } from '../../core/sink.ts'
import type { Position } from '../../core/source.ts'
import type { Inspection, RecordPlace } from '../../log/inspection.ts'
import { CommandFailure } from '../exit.ts'

export interface Copying {
  readonly from: Inspection
  readonly to: Log
  /** The writer's name in the log that is written. */
  readonly writer: string
  readonly topics: readonly string[]
  /** Told of each batch: how many records were copied since the beginning. */
  readonly onProgress: (records: number) => void
}

/** A batch ends at the first commit after so many bytes … */
const batchBytes = 1024 * 1024
/** … or, inside a giant commit, after so many. */
const partBytes = 8 * batchBytes

/**
 * Copies what topics hold by now, in the order of their commits: what was copied before is not
 * copied again, so a copy that was cut off goes on, and a later one adds what is new. Returns how
 * many records of each topic were copied.
 */
export async function copyTopics(copying: Copying): Promise<ReadonlyMap<string, number>> {
  const { from, to, writer, topics } = copying
  const sink = to.writer(writer)
  try {
    const progress = await CopyProgress.resume(sink, writer, await from.identity())
    const lanes = await openLanes(from, topics, progress)
    const batches = new Batches(copying, sink, progress)
    for await (const [record, next] of merged(lanes)) await batches.add(record, next)
    await batches.end()
    return batches.copied
  } finally {
    await sink.close()
  }
}

class CopyProgress {
  readonly #from: string
  readonly #places: Map<string, Map<number, RecordPlace>>

  private constructor(from: string, places: Map<string, Map<number, RecordPlace>>) {
    this.#from = from
    this.#places = places
  }

  static async resume(
    sink: Sink<NewRecord>,
    writer: string,
    identity: string,
  ): Promise<CopyProgress> {
    const stored = await sink.resume(writer)
    if (stored === undefined) return new CopyProgress(identity, new Map())
    const { from, topics } = JSON.parse(stored) as StoredProgress
    if (from !== identity) {
      throw new CommandFailure('the copy was begun from another log: copy into a new one instead')
    }
    const places = Object.entries(topics).map(([topic, partitions]) => {
      const read = Object.entries(partitions).map(([number, [offset, sequence]]) => {
        const partition = Number(number)
        return [
          partition,
          { partition, offset: BigInt(offset), sequence: BigInt(sequence) },
        ] as const
      })
      return [topic, new Map(read)] as const
    })
    return new CopyProgress(identity, new Map(places))
  }

  /** The last record that was copied. */
  last(topic: string, partition: number): RecordPlace | undefined {
    return this.#places.get(topic)?.get(partition)
  }

  pass({ topic, partition, offset, sequence }: LogRecord): void {
    const places = this.#places.get(topic) ?? new Map<number, RecordPlace>()
    this.#places.set(topic, places.set(partition, { partition, offset, sequence }))
  }

  get position(): Position {
    const topics = [...this.#places].map(([topic, places]) => {
      const stored = [...places].map(([partition, { offset, sequence }]) => {
        return [partition, [String(offset), String(sequence)]]
      })
      return [topic, Object.fromEntries(stored)]
    })
    const stored = { v: 1, from: this.#from, topics: Object.fromEntries(topics) }
    return JSON.stringify(stored) as Position
  }
}

interface StoredProgress {
  readonly from: string
  readonly topics: Readonly<Record<string, Readonly<Record<string, readonly [string, string]>>>>
}

/** A partition on its way. */
interface Lane {
  readonly records: AsyncIterator<LogRecord>
  head: LogRecord | undefined
}

async function openLanes(
  from: Inspection,
  topics: readonly string[],
  progress: CopyProgress,
): Promise<readonly Lane[]> {
  const lanes: Lane[] = []
  for (const topic of topics) {
    for (let partition = 0; partition < (await from.partitions(topic)); partition++) {
      const last = progress.last(topic, partition)
      const begin = last ?? { partition, offset: 0n, sequence: 0n }
      const records = after(from.scan(topic, [begin]).more(), last)
      lanes.push({ records, head: (await records.next()).value as LogRecord | undefined })
    }
  }
  return lanes
}

async function* after(
  records: AsyncIterable<LogRecord>,
  last: RecordPlace | undefined,
): AsyncGenerator<LogRecord, undefined> {
  for await (const record of records) {
    if (last === undefined || record.offset > last.offset) yield record
  }
}

/** Each record with the one that comes next. */
async function* merged(
  lanes: readonly Lane[],
): AsyncGenerator<readonly [LogRecord, LogRecord | undefined]> {
  let current = await takeFirst(lanes)
  while (current !== undefined) {
    const next = await takeFirst(lanes)
    yield [current, next]
    current = next
  }
}

async function takeFirst(lanes: readonly Lane[]): Promise<LogRecord | undefined> {
  let first: Lane | undefined
  for (const lane of lanes) {
    if (lane.head === undefined) continue
    if (first === undefined || isBefore(lane.head, first.head!)) first = lane
  }
  const record = first?.head
  if (first !== undefined) first.head = (await first.records.next()).value
  return record
}

/** As the origin has made them: sequences tell that only inside one partition, on Kafka. */
function isBefore(a: LogRecord, b: LogRecord): boolean {
  return a.version < b.version || (a.version === b.version && a.ordinal < b.ordinal)
}

class Batches {
  readonly copied = new Map<string, number>()
  readonly #copying: Copying
  readonly #sink: Sink<NewRecord>
  readonly #progress: CopyProgress
  #records: NewRecord[] = []
  #bytes = 0
  #count = 0

  constructor(copying: Copying, sink: Sink<NewRecord>, progress: CopyProgress) {
    this.#copying = copying
    this.#sink = sink
    this.#progress = progress
    for (const topic of copying.topics) this.copied.set(topic, 0)
  }

  async add(record: LogRecord, next: LogRecord | undefined): Promise<void> {
    const { topic, key, value } = record
    // A sequence of one log means nothing in another.
    this.#records.push({ ...record, cause: undefined })
    this.#bytes += (key?.length ?? 0) + (value?.length ?? 0)
    this.#progress.pass(record)
    this.copied.set(topic, (this.copied.get(topic) ?? 0) + 1)
    this.#count++
    const endsCommit = next?.version !== record.version
    const limit = endsCommit ? batchBytes : partBytes
    if (this.#bytes >= limit) await this.#write(endsCommit)
  }

  async end(): Promise<void> {
    if (this.#records.length > 0) await this.#write(true)
  }

  async #write(complete: boolean): Promise<void> {
    const records = this.#records
    const { position } = this.#progress
    const { writer, onProgress } = this.#copying
    await this.#sink.write({ records, position, complete })
    const { timestamp } = records.at(-1)!
    await this.#sink.commit({ source: writer, position, timestamp })
    this.#records = []
    this.#bytes = 0
    onProgress(this.#count)
  }
}

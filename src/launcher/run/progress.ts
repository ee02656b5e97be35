import type { LogInfo } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { LogRecord } from '../../core/record.ts'
import type { Batch, Position, Source } from '../../core/source.ts'
import { decodePosition } from '../../log/position.ts'

/** What a reader of the log has not come to yet. */
export interface Lag {
  readonly records: number
  /** From the mean size of the records seen so far. */
  readonly bytes: number
  /** Age of the newest record passed on, if there are newer ones. Null before the first. */
  readonly seconds: number | null
}

/** How far one part has come in its topics: what it has acknowledged, not what it holds. */
export class Progress {
  readonly #next = new Map<string, bigint>()
  /** Everything before this sequence is done. */
  #sequence = 0
  #records = 0
  #bytes = 0
  #timestamp = 0

  /** The same source, watched. To be read at all shows that whoever reads it is up. */
  follow(source: Source<LogRecord>, meter: Meter): Source<LogRecord> {
    const held: Batch<LogRecord>[] = []
    const pass = (batch: Batch<LogRecord>) => {
      held.push(batch)
      return batch
    }
    return {
      name: source.name,
      knows: (position) => source.knows(position),
      read: (from, signal) => {
        held.length = 0
        this.#reach(from, source)
        meter.state = 'running'
        meter.reason = null
        return map(source.read(from, signal), pass)
      },
      ack: (position) => {
        this.#count(held, position)
        this.#reach(position, source)
        source.ack(position)
      },
    }
  }

  lag({ topics }: LogInfo, read: readonly string[], now = Date.now()): Lag {
    let records = 0
    for (const { topic, partitions, sequence } of topics) {
      if (!read.includes(topic) || BigInt(this.#sequence) >= sequence) continue
      for (const [partition, { start, end }] of partitions.entries()) {
        const next = this.#next.get(`${topic}/${partition}`) ?? start
        records += Number(end > next ? end - next : 0n)
      }
    }
    const meanBytes = this.#records === 0 ? 0 : this.#bytes / this.#records
    const age = this.#timestamp === 0 ? null : Math.max(0, now - this.#timestamp) / 1000
    return {
      records,
      bytes: Math.round(records * meanBytes),
      seconds: records === 0 ? 0 : age,
    }
  }

  #reach(position: Position | undefined, source: Source<LogRecord>): void {
    if (position === undefined) return
    this.#sequence = decodePosition(position)?.sequence ?? 0
    for (const [place, next] of source.next?.(position) ?? []) this.#next.set(place, next)
  }

  #count(held: Batch<LogRecord>[], position: Position): void {
    const until = held.findIndex((batch) => batch.position === position)
    for (const { records } of held.splice(0, until + 1)) {
      for (const { topic, partition, offset, key, value } of records) {
        this.#next.set(`${topic}/${partition}`, offset + 1n)
        this.#bytes += (key?.length ?? 0) + (value?.length ?? 0)
      }
      this.#records += records.length
      this.#timestamp = records.at(-1)?.timestamp ?? this.#timestamp
    }
  }
}

/** The same source; when it is opened again after a failure, the failure is no longer its state. */
export function announce<T>(source: Source<T>, meter: Meter): Source<T> {
  return {
    name: source.name,
    claim: async (signal) => source.claim?.(signal),
    knows: (position) => source.knows(position),
    read: (from, signal) => {
      meter.state = 'starting'
      return source.read(from, signal)
    },
    ack: (position) => source.ack(position),
  }
}

async function* map<T, U>(items: AsyncIterable<T>, change: (item: T) => U): AsyncGenerator<U> {
  for await (const item of items) yield change(item)
}

/*
 * Refused records wait in `<topic>.dlq`. Which are there is told by a compacted topic of the sink,
 * with a partition for each that the sink reads, written in the same transaction:
 *
 *   ["<sink>","<topic>",<partition>,"<offset>"] → JSON {code, reason, attempts, firstAt, lastAt}
 */
import type { DeadLetter, DeadLetters } from '../../core/log.ts'
import type { NewRecord } from '../../core/record.ts'
import { stageOf } from '../dead-letters.ts'
import { headersOf, letterKey } from '../letter.ts'
import { Cluster } from './cluster.ts'
import { Outlet } from './outlet.ts'
import { Producer } from './producer.ts'
import { scanPartition } from './scan-partition.ts'
import { ensureTopic } from './topics.ts'
import type { KafkaWiring } from './wiring.ts'

interface StoredLetter {
  readonly code: string
  readonly reason: string
  readonly attempts: number
  readonly firstAt: number
  readonly lastAt: number
}

/** The letters of one sink from one partition, and the right to write them. */
interface Box {
  readonly producer: Producer
  readonly outlet: Outlet
  readonly known: Map<string, StoredLetter>
}

export class KafkaLetters {
  readonly #wiring: KafkaWiring
  readonly #sink: string
  readonly #boxes = new Map<number, Box>()

  constructor(wiring: KafkaWiring, sink: string) {
    this.#wiring = wiring
    this.#sink = sink
  }

  /** How many letters of this sink are known to this process. */
  get count(): number {
    return [...this.#boxes.values()].reduce((sum, { known }) => sum + known.size, 0)
  }

  /** Keeps what the sink refused, each record once. */
  readonly keep: DeadLetters = async (letters) => {
    const byPartition = Map.groupBy(letters, ({ record }) => record.partition)
    for (const [partition, some] of byPartition) await this.#keep(partition, some)
  }

  async close(): Promise<void> {
    const boxes = [...this.#boxes.values()]
    this.#boxes.clear()
    await Promise.all(boxes.map(({ producer }) => producer.close()))
  }

  async #keep(partition: number, letters: readonly DeadLetter[]): Promise<void> {
    try {
      const box = this.#boxes.get(partition) ?? (await this.#open(partition, letters))
      this.#boxes.set(partition, box)
      await this.#write(box, partition, letters)
    } catch (error) {
      await this.#boxes.get(partition)?.producer.close()
      this.#boxes.delete(partition)
      throw error
    }
  }

  async #write(box: Box, partition: number, letters: readonly DeadLetter[]): Promise<void> {
    const { producer, outlet, known } = box
    const now = Date.now()
    const changed = new Map<string, StoredLetter>()
    const fresh: NewRecord[] = []
    for (const letter of letters) {
      const { code, reason } = letter
      const key = letterKey({ ...letter.record, sink: this.#sink })
      const before = changed.get(key) ?? known.get(key)
      const attempts = (before?.attempts ?? 0) + 1
      const stored = { code, reason, attempts, firstAt: before?.firstAt ?? now, lastAt: now }
      if (before === undefined) fresh.push(this.#record(letter, stored))
      changed.set(key, stored)
    }
    await outlet.write(fresh)
    outlet.end(true)
    for (const [key, stored] of changed) {
      const entry = { key: Buffer.from(key), value: Buffer.from(JSON.stringify(stored)) }
      producer.add(this.#index, partition, { ...entry, timestamp: now })
    }
    await producer.commit()
    for (const [key, stored] of changed) known.set(key, stored)
  }

  /** Fences whoever kept letters of this partition before, then reads which there are. */
  async #open(partition: number, letters: readonly DeadLetter[]): Promise<Box> {
    const cluster = new Cluster(this.#wiring.access)
    try {
      const read = await cluster.topic(letters[0]!.record.topic)
      const policy = this.#wiring.policyOf(this.#index)
      const partitions = read?.leaders.length ?? partition + 1
      await ensureTopic(cluster, this.#index, { ...policy, partitions })
      const name = `${this.#sink}.dlq.${partition}`
      const producer = await Producer.open(this.#wiring.producer(name))
      const known = new Map<string, StoredLetter>()
      const span = { topic: this.#index, partition, from: 0 }
      await scanPartition(cluster, span, ({ key, value }) => {
        if (key === null || value === null) return
        known.set(key.toString(), JSON.parse(value.toString()) as StoredLetter)
      })
      return { producer, outlet: new Outlet(this.#wiring, producer), known }
    } finally {
      await cluster.close()
    }
  }

  get #index(): string {
    return `__millrace.${this.#sink}.letters`
  }

  #record({ record }: DeadLetter, stored: StoredLetter): NewRecord {
    const { topic, partition, offset, version } = record
    const letter = {
      ...stored,
      ...{ sink: this.#sink, topic, partition, offset, version: String(version) },
      ...({ sequence: 0, key: null, state: 'open', note: null } as const),
      stage: stageOf(this.#sink, stored.code),
    }
    const { 'millrace.version': _, ...headers } = headersOf(letter)
    return {
      ...record,
      topic: `${topic}.dlq`,
      ordinal: 0,
      cause: record.cause,
      headers: { ...record.headers, ...headers },
    }
  }
}

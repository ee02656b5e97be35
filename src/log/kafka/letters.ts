/*
 * Refused records wait in `<topic>.dlq`; letter-index.ts says which there are, and what became of
 * them. Both are written in one transaction, by whoever opened the box of a partition last.
 */
import type { DeadLetter, DeadLetters } from '../../core/log.ts'
import type { NewRecord } from '../../core/record.ts'
import { refuse } from '../dead-letters.ts'
import {
  headersOf,
  type Letter,
  type LetterState,
  letterKey,
  type StoredLetter,
} from '../letter.ts'
import { Cluster } from './cluster.ts'
import { LetterIndex, letterTopic } from './letter-index.ts'
import { Outlet } from './outlet.ts'
import { Producer } from './producer.ts'
import { ensureTopic } from './topics.ts'
import type { KafkaWiring } from './wiring.ts'

/** The right to write the letters of one sink from one partition. */
interface Box {
  readonly producer: Producer
  readonly outlet: Outlet
}

/** A letter as it is to be stored, and where it is from. */
type Changed = readonly [key: string, stored: StoredLetter]

export class KafkaLetters {
  readonly #wiring: KafkaWiring
  readonly #sink: string
  readonly #index: LetterIndex
  readonly #boxes = new Map<number, Box>()
  /** A producer does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(wiring: KafkaWiring, sink: string) {
    this.#wiring = wiring
    this.#sink = sink
    this.#index = new LetterIndex(sink)
  }

  /** How many letters of this sink wait, as far as `refresh` has seen. */
  get open(): number {
    return this.#index.open
  }

  /** Learns of what other processes have written, and earlier ones. */
  async refresh(cluster: Cluster): Promise<void> {
    await this.#index.refresh(cluster)
  }

  /** Keeps what the sink refused, each record once. */
  readonly keep: DeadLetters = async (letters) => {
    const byPartition = Map.groupBy(letters, ({ record }) => record.partition)
    for (const [partition, some] of byPartition) {
      await this.#with(partition, some[0]!.record.topic, (box) => this.#keep(box, partition, some))
    }
  }

  /** Notes what became of a letter, durably. Whoever else writes them opens the box anew. */
  async settle(letter: Letter, state: LetterState, note: string | null): Promise<void> {
    const { partition, topic } = letter
    await this.#with(partition, topic, async ({ producer }) => {
      const key = letterKey(letter)
      const stored = { ...(this.#index.get(key) ?? storedOf(letter)), state, note }
      await this.#commit(producer, partition, [[key, stored]])
    })
  }

  async close(): Promise<void> {
    const boxes = [...this.#boxes.values()]
    this.#boxes.clear()
    await Promise.all(boxes.map(({ producer }) => producer.close()))
  }

  #with(partition: number, topic: string, work: (box: Box) => Promise<void>): Promise<void> {
    const done = this.#last.then(() => this.#within(partition, topic, work))
    this.#last = done.catch(() => {})
    return done
  }

  /** After any error the box is opened anew, which shows what had become of it. */
  async #within(
    partition: number,
    topic: string,
    work: (box: Box) => Promise<void>,
  ): Promise<void> {
    try {
      const box = this.#boxes.get(partition) ?? (await this.#open(partition, topic))
      this.#boxes.set(partition, box)
      await work(box)
    } catch (error) {
      await this.#boxes.get(partition)?.producer.close()
      this.#boxes.delete(partition)
      throw error
    }
  }

  async #keep(
    { producer, outlet }: Box,
    partition: number,
    letters: readonly DeadLetter[],
  ): Promise<void> {
    const changed = new Map<string, StoredLetter>()
    const fresh: NewRecord[] = []
    for (const refused of letters) {
      const key = letterKey({ ...refused.record, sink: this.#sink })
      const before = changed.get(key) ?? this.#index.get(key)
      const letter = { ...refuse(this.#sink, refused, before), at: refused.record.timestamp }
      if (before === undefined) fresh.push(recordOf(refused, letter))
      changed.set(key, storedOf(letter))
    }
    await outlet.write(fresh)
    outlet.end(true)
    await this.#commit(producer, partition, [...changed])
  }

  async #commit(producer: Producer, partition: number, changed: readonly Changed[]): Promise<void> {
    const timestamp = Date.now()
    for (const [key, stored] of changed) {
      const entry = { key: Buffer.from(key), value: Buffer.from(JSON.stringify(stored)) }
      producer.add(letterTopic(this.#sink), partition, { ...entry, timestamp })
    }
    await producer.commit()
    for (const [key, stored] of changed) this.#index.set(key, stored)
  }

  /** Fences whoever kept letters of this partition before, then reads which there are. */
  async #open(partition: number, topic: string): Promise<Box> {
    const cluster = new Cluster(this.#wiring.access)
    try {
      const read = await cluster.topic(topic)
      const index = letterTopic(this.#sink)
      const partitions = read?.leaders.length ?? partition + 1
      await ensureTopic(cluster, index, { ...this.#wiring.policyOf(index), partitions })
      const name = `${this.#sink}.dlq.${partition}`
      const producer = await Producer.open(this.#wiring.producer(name))
      await this.#index.refresh(cluster)
      return { producer, outlet: new Outlet(this.#wiring, producer) }
    } finally {
      await cluster.close()
    }
  }
}

function storedOf({
  id: _,
  sink: _sink,
  topic,
  partition,
  offset,
  ...stored
}: Letter): StoredLetter {
  return stored
}

function recordOf({ record }: DeadLetter, letter: Letter): NewRecord {
  const { 'millrace.version': _, ...headers } = headersOf(letter)
  return {
    ...record,
    topic: `${letter.topic}.dlq`,
    ordinal: 0,
    headers: { ...record.headers, ...headers },
  }
}

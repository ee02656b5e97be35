/*
 * Which dead letters of a sink there are, and what became of them: a compacted topic with a
 * partition for each that the sink reads, written in the transactions that write the letters:
 *
 *   ["<sink>","<topic>",<partition>,"<offset>"] → JSON of StoredLetter
 */
import { type Letter, letterOf, type StoredLetter } from '../letter.ts'
import type { Cluster } from './cluster.ts'
import { scanPartition } from './scan-partition.ts'

/** The topic that tells of a sink's letters. */
export function letterTopic(sink: string): string {
  return `${head}${sink}${tail}`
}

/** The sinks of a pipeline that have such a topic. */
export function sinksWithLetters(topics: readonly string[], pipeline: string): readonly string[] {
  return topics
    .filter((topic) => topic.startsWith(`${head}${pipeline}.`) && topic.endsWith(tail))
    .map((topic) => topic.slice(head.length, -tail.length))
}

const head = '__millrace.'
const tail = '.letters'

/** What the index says, as far as it was read. */
export class LetterIndex {
  readonly #sink: string
  readonly #letters = new Map<string, StoredLetter>()
  /** By partition, where to read on. */
  readonly #next = new Map<number, number>()

  constructor(sink: string) {
    this.#sink = sink
  }

  /** Reads on to what is there by now. */
  async refresh(cluster: Cluster): Promise<void> {
    const topic = letterTopic(this.#sink)
    const partitions = (await cluster.topic(topic))?.leaders.length ?? 0
    for (let partition = 0; partition < partitions; partition++) {
      const span = { topic, partition, from: this.#next.get(partition) ?? 0 }
      const next = await scanPartition(cluster, span, ({ key, value }) => {
        if (key === null || value === null) return
        this.set(key.toString(), JSON.parse(value.toString()) as StoredLetter)
      })
      this.#next.set(partition, next)
    }
  }

  /** How many wait for somebody. */
  get open(): number {
    let open = 0
    for (const { state } of this.#letters.values()) if (state === 'open') open++
    return open
  }

  get(key: string): StoredLetter | undefined {
    return this.#letters.get(key)
  }

  set(key: string, stored: StoredLetter): void {
    this.#letters.set(key, stored)
  }

  *[Symbol.iterator](): Generator<Letter> {
    for (const [key, stored] of this.#letters) yield letterOf(key, stored)
  }
}

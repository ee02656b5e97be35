import type { Position } from '../../core/source.ts'

/**
 * How far a reader came in partitions of some topics. As text
 *
 *   {"v":1,"cluster":"…","topics":{"orders":["<topic id>",17]},"open":["<version>","<sequence>"]}
 *
 * with the offset of the next record of each topic; of a compacted one also the time at which
 * nothing was left to read, in ms since 1970: see delete-watch.ts. A partition that has not the
 * reader's own number is named with it: `orders/3`. The ids tell a topic that was made anew, or
 * another cluster, from the one that was read. `open` stands inside a commit: its version, and the
 * sequence under which its records go.
 */
export interface Place {
  readonly cluster: string
  readonly topics: ReadonlyMap<string, Progress>
  readonly open: OpenCommit | undefined
}

/** A partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** What a partition is called in positions of a reader. No topic has a slash in its name. */
export function placeName({ topic, partition }: TopicPartition, own: number): string {
  return partition === own ? topic : `${topic}/${partition}`
}

export function readPlaceName(name: string, own: number): TopicPartition {
  const slash = name.indexOf('/')
  if (slash < 0) return { topic: name, partition: own }
  return { topic: name.slice(0, slash), partition: Number(name.slice(slash + 1)) }
}

export interface Progress {
  readonly id: string
  readonly next: number
  readonly at?: number | undefined
}

export interface OpenCommit {
  readonly version: bigint
  readonly sequence: bigint
}

export function encodePosition({ cluster, topics, open }: Place): Position {
  const entries = [...topics].map(([topic, { id, next, at }]) => {
    return [topic, at === undefined ? [id, next] : [id, next, at]]
  })
  const commit = open && [String(open.version), String(open.sequence)]
  const place = {
    v: 1,
    cluster,
    topics: Object.fromEntries(entries),
    ...(commit && { open: commit }),
  }
  return JSON.stringify(place) as Position
}

interface Stored {
  readonly v: number
  readonly cluster: string
  readonly topics: Readonly<Record<string, readonly [id: string, next: number, at?: number]>>
  readonly open?: readonly [version: string, sequence: string]
}

/** `undefined` if the text is no position of a log on Kafka. */
export function decodePosition(position: Position): Place | undefined {
  const stored = parse(position)
  if (stored?.v !== 1 || typeof stored.topics !== 'object') return undefined
  const { cluster, open } = stored
  const topics = Object.entries(stored.topics).map(
    ([topic, [id, next, at]]) => [topic, { id, next, at }] as const,
  )
  return {
    cluster,
    topics: new Map(topics),
    open: open && { version: BigInt(open[0]), sequence: BigInt(open[1]) },
  }
}

function parse(text: string): Stored | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return JSON.parse(text) as Stored
  } catch {
    return undefined
  }
}

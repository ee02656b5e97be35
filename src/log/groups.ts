import type { GroupInfo } from '../core/log.ts'
import type { Position } from '../core/source.ts'
import { type Environment, getJson, json } from './environment.ts'
import { decodePosition } from './position.ts'

/** How far a group has come. */
export interface Group {
  readonly position: Position
  /** What it reads. */
  readonly topics: readonly string[]
  /** When it was last part of a running pipeline, in ms since 1970. */
  readonly seenAt: number
}

/** A group that no running pipeline has is forgotten after so long. */
const expiryMs = 7 * 24 * 3600_000

/** The readers that the log remembers: what they have yet to read is not removed. */
export class Groups {
  readonly #environment: Environment
  readonly #known = new Map<string, Group>()
  /** Those of this pipeline. */
  readonly #joined = new Set<string>()

  constructor(environment: Environment) {
    this.#environment = environment
    for (const [group, stored] of storedGroups(environment)) this.#known.set(group, stored)
  }

  /** From now on the group's place counts, be it at the beginning. */
  join(group: string, topics: readonly string[], beginning: Position): void {
    this.#joined.add(group)
    this.#keep(group, { position: this.#known.get(group)?.position ?? beginning, topics })
  }

  /** Remembers how far a group has come. Readers that have not joined leave no trace. */
  keep(group: string, position: Position): void {
    const known = this.#known.get(group)
    if (known !== undefined && this.#joined.has(group)) {
      this.#keep(group, { position, topics: known.topics })
    }
  }

  /** Forgets what has not been seen for a week, and all that has not joined if `all` is set. */
  expire(all = false): readonly string[] {
    const limit = all ? Number.POSITIVE_INFINITY : Date.now() - expiryMs
    const gone: string[] = []
    for (const [group, { seenAt, position, topics }] of this.#known) {
      if (this.#joined.has(group)) this.#keep(group, { position, topics })
      else if (seenAt < limit) gone.push(group)
    }
    for (const group of gone) this.remove(group)
    return gone
  }

  remove(group: string): void {
    this.#known.delete(group)
    this.#environment.groups.remove(group).catch(() => {})
  }

  /** The lowest sequence that a reader of the topic has yet to come to. */
  lowest(topic: string): number {
    return Math.min(...this.readersOf(topic).map(({ sequence }) => Number(sequence)))
  }

  /** The groups that read a topic; those of which it is not known may read any. */
  readersOf(topic: string): readonly GroupInfo[] {
    return this.all.filter(({ group }) => {
      const { topics } = this.#known.get(group)!
      return topics.length === 0 || topics.includes(topic)
    })
  }

  get all(): readonly GroupInfo[] {
    return [...this.#known].map(([group, { position }]) => ({
      group,
      position,
      sequence: BigInt(decodePosition(position)?.sequence ?? 0),
    }))
  }

  // Not awaited: a place that is a little older does no harm. A log that fails says so elsewhere.
  #keep(group: string, { position, topics }: Pick<Group, 'position' | 'topics'>): void {
    const kept = { position, topics, seenAt: Date.now() }
    this.#known.set(group, kept)
    this.#environment.groups.put(group, json(kept)).catch(() => {})
  }
}

/** Every group that a log remembers, also one that another process writes. */
export function* storedGroups({ groups }: Environment): Generator<readonly [string, Group]> {
  for (const { key } of groups.getRange()) {
    const stored = getJson<Partial<Group> & Pick<Group, 'position'>>(groups, key)
    if (stored !== undefined) yield [key, { topics: [], seenAt: 0, ...stored }]
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { StoredDocument } from '../../core/reading.ts'
import type { Inspection, RecordPlace } from '../../log/inspection.ts'
import type { Checkpoints } from './partitioned-reading.ts'
import type { Subject } from './sink-subject.ts'
import { digestOf, TopicState } from './topic-state.ts'

/** An id of which topic and sink say different things. */
export interface Difference {
  readonly id: string
  /** `refused`: the sink would not take it, and a dead letter says why. */
  readonly kind: 'missing' | 'extra' | 'different' | 'refused'
  /** The newest version in the topic, and the one that the sink holds. */
  readonly expected: string | null
  readonly held: string | null
  /** The dead letter, by its id. */
  readonly letter?: string
}

export interface Verified {
  readonly sink: string
  readonly topic: string
  /** The newest offset that was compared. */
  readonly offset: string
  readonly documents: { readonly topic: number; readonly sink: number }
  /** How many documents were compared by their content. */
  readonly compared: number
  readonly differences: readonly Difference[]
  /** Ids whose records the sink has not come to yet. */
  readonly pending: number
  /** Ids that changed all the while. */
  readonly unsettled: number
}

export interface VerifyOptions {
  /** Compares so many documents, chosen at random, instead of all. */
  readonly sample?: number | undefined
  /** How long the sink may take to come to what is compared. */
  readonly patienceMs: number
}

/** How often what differs is looked at again before it counts as unsettled. */
const rounds = 10
const lookEveryMs = 200

/** A comparison, and what is needed to mend what it found. */
export interface Verification {
  readonly verified: Verified
  readonly state: TopicState
}

/**
 * Compares a sink with its topic while both may go on. What differs at first is looked at again,
 * once the sink's checkpoint has passed the newest record seen; it counts if no record has come for
 * it meanwhile. So a difference is one, and not a change on its way.
 */
export async function verify(
  log: Inspection,
  subject: Subject,
  options: VerifyOptions,
): Promise<Verification> {
  const { topic, reading } = subject
  const { sample } = options
  const state = new TopicState({ log, topic, reading, digests: sample === undefined })
  const comparison = new Comparison(log, subject, state)
  await state.advance()
  await comparison.catchUp(options.patienceMs)
  const first = sample === undefined ? await comparison.all() : await comparison.sample(sample)
  const found = await comparison.settle(first.suspects, options.patienceMs)
  const verified = {
    sink: subject.name,
    topic,
    offset: state.offset,
    documents: { topic: state.count(), sink: first.count },
    compared: first.compared,
    ...found,
  }
  return { verified, state }
}

interface First {
  readonly suspects: ReadonlySet<string>
  readonly count: number
  readonly compared: number
}

class Comparison {
  readonly #log: Inspection
  readonly #subject: Subject
  readonly #state: TopicState
  /** How far the sink has come, by partition. */
  #delivered: Checkpoints = new Map()

  constructor(log: Inspection, subject: Subject, state: TopicState) {
    this.#log = log
    this.#subject = subject
    this.#state = state
  }

  /** Waits for the sink to come to the end of what was read of the topic, if it does. */
  async catchUp(patienceMs: number): Promise<void> {
    const until = performance.now() + patienceMs
    for (;;) {
      this.#delivered = await this.#subject.reading.checkpoints()
      const isThere = [...this.#state.newest].every((place) => this.#isDelivered(place))
      if (isThere || performance.now() >= until) return
      await sleep(lookEveryMs)
    }
  }

  async all(): Promise<First> {
    const seen = new Set<string>()
    const suspects = new Set<string>()
    let count = 0
    const { tellsDeletes } = this.#subject.reading
    for await (const document of this.#subject.reading.all()) {
      const { id, doc } = document
      if ((doc !== null || tellsDeletes) && !seen.has(id)) count++
      seen.add(id)
      if ((await this.#difference(id, document)) !== undefined) suspects.add(id)
    }
    for (const id of this.#state.ids) {
      if (!seen.has(id) && (await this.#difference(id, undefined)) !== undefined) suspects.add(id)
    }
    return { suspects, count, compared: count }
  }

  async sample(size: number): Promise<First> {
    const ids = pick(
      Array.from(this.#state.ids).filter((id) => this.#state.isLive(id)),
      size,
    )
    const held = await this.#held(ids)
    const suspects: string[] = []
    for (const id of ids) {
      if ((await this.#difference(id, held.get(id))) !== undefined) suspects.push(id)
    }
    const count = await this.#subject.reading.count()
    return { suspects: new Set(suspects), count, compared: ids.length }
  }

  async settle(
    first: ReadonlySet<string>,
    patienceMs: number,
  ): Promise<Pick<Verified, 'differences' | 'pending' | 'unsettled'>> {
    const differences: Difference[] = []
    let suspects = [...first]
    let pending = 0
    for (let round = 0; round < rounds && suspects.length > 0; round++) {
      await this.#state.advance()
      await this.catchUp(patienceMs)
      const held = await this.#held(suspects)
      const touched = await this.#state.advance()
      const next: string[] = []
      for (const id of suspects) {
        const difference = await this.#difference(id, held.get(id))
        if (touched.has(id)) next.push(id)
        else if (difference === undefined) continue
        else if (this.#isPending(id)) pending++
        else differences.push(difference)
      }
      suspects = next
    }
    return {
      differences: await this.#withLetters(differences),
      pending,
      unsettled: suspects.length,
    }
  }

  async #held(ids: readonly string[]): Promise<ReadonlyMap<string, StoredDocument>> {
    const documents = await this.#subject.reading.some(ids)
    return new Map(documents.map((document) => [document.id, document]))
  }

  #isPending(id: string): boolean {
    const expected = this.#state.get(id)
    if (expected !== undefined) return !this.#isDelivered(expected)
    return [...this.#delivered.values()].every((position) => position === null)
  }

  #isDelivered(place: RecordPlace): boolean {
    const position = this.#delivered.get(place.partition) ?? null
    return this.#log.isPassed(position, this.#subject.topic, place)
  }

  async #difference(id: string, held: StoredDocument | undefined): Promise<Difference | undefined> {
    const expected = this.#state.get(id)
    const isLive = expected !== undefined && !expected.deleted
    const doc = held?.doc ?? null
    const versions = {
      expected: expected === undefined ? null : String(expected.version),
      held: held === undefined ? null : String(held.version),
    }
    const { reading } = this.#subject
    if (!isLive) {
      if (doc !== null && !reading.keepsDeleted) return { id, kind: 'extra', ...versions }
      const isLate = reading.tellsDeletes && held && expected && held.version < expected.version
      return isLate ? { id, kind: 'different', ...versions } : undefined
    }
    if (doc === null) {
      return reading.expires ? undefined : { id, kind: 'missing', ...versions }
    }
    const isSame = expected.version === held!.version && (await this.#digest(id)) === digestOf(doc)
    return isSame ? undefined : { id, kind: 'different', ...versions }
  }

  async #digest(id: string): Promise<string> {
    return this.#state.get(id)?.digest ?? digestOf((await this.#state.textOf(id)) ?? 'null')
  }

  /** A sink that refused the newest record of an id holds an older one: that is known. */
  async #withLetters(differences: readonly Difference[]): Promise<readonly Difference[]> {
    const letters = new Map<string, string>()
    for (const letter of await this.#log.letters()) {
      const { id, sink, topic, state } = letter
      const isOurs = sink === this.#subject.group && topic === this.#subject.topic
      if (isOurs && (state === 'open' || state === 'skipped')) letters.set(placeText(letter), id)
    }
    return differences.map((difference) => {
      const expected = this.#state.get(difference.id)
      const letter = expected && letters.get(placeText(expected))
      return letter === undefined ? difference : { ...difference, kind: 'refused', letter }
    })
  }
}

function placeText({ partition, offset }: Pick<RecordPlace, 'partition' | 'offset'>): string {
  return `${partition}:${offset}`
}

/** So many of the items, chosen evenly. */
function pick<T>(items: readonly T[], size: number): readonly T[] {
  const picked = [...items]
  for (let i = 0; i < Math.min(size, picked.length); i++) {
    const other = i + Math.floor(Math.random() * (picked.length - i))
    const kept = picked[i]!
    picked[i] = picked[other]!
    picked[other] = kept
  }
  return picked.slice(0, size)
}

/*
 * Indexes of which each holds the documents of one time, such as `orders-2025.01`. They are made as
 * documents come for them. The identity names each that there is:
 *
 *   {"":"f81d…@orders-{created_at:yyyy.MM}","orders-2025.01":"{…}","orders-2025.02":"{…}"}
 *
 * Under the empty name stands what is new each time they are all removed, and which generation of
 * them it is (generations.ts).
 * One that vanishes is taken as old and removed by intention; one that was replaced or rolled back
 * makes another target of them all.
 */
import { randomUUID } from 'node:crypto'
import { MillraceError } from '../../src/core/errors.ts'
import type { ElasticsearchClient } from './client.ts'
import { membersOf } from './generations.ts'
import type { Fields } from './mapping.ts'
import { familyPattern } from './placement.ts'
import { definitionOf, TargetIndex, type TargetIndexOptions } from './target-index.ts'

/** Above what comes with the server, and what nobody has thought about. */
const priority = 500

type Identities = Readonly<Record<string, string>>

export class IndexFamily {
  readonly #client: ElasticsearchClient
  readonly #options: TargetIndexOptions
  readonly #members = new Map<string, TargetIndex>()
  #fields: Fields = {}
  #times: string

  constructor(client: ElasticsearchClient, options: TargetIndexOptions) {
    this.#client = client
    this.#options = options
    this.#times = this.#newTimes()
  }

  has(index: string): boolean {
    return this.#members.has(index)
  }

  async ensure(known: string | undefined): Promise<string> {
    await this.#keepTemplate()
    this.#members.clear()
    for (const name of await this.#names()) this.#members.set(name, this.#member(name))
    const isKnown = known !== undefined && familyOf(known) === this.#options.index
    this.#times = isKnown ? identitiesOf(known)['']! : this.#newTimes()
    const found: Record<string, string> = { '': this.#times }
    for (const [name, member] of this.#members) found[name] = await member.ensure(undefined)
    const now = JSON.stringify(found)
    return known !== undefined && this.isSame(known, now) ? known : now
  }

  /** Removes every one of them; they come again with their documents. */
  async recreate(): Promise<string> {
    for (const name of await this.#names()) {
      await this.#client.call({ method: 'DELETE', path: `/${encodeURIComponent(name)}` }, [404])
    }
    this.#members.clear()
    this.#times = this.#newTimes()
    return JSON.stringify({ '': this.#times })
  }

  async identity(): Promise<string | undefined> {
    const found: Record<string, string> = { '': this.#times }
    for (const [name, member] of this.#members) {
      const identity = await member.identity()
      if (identity === undefined) this.#members.delete(name)
      else found[name] = identity
    }
    return JSON.stringify(found)
  }

  isSame(known: string, now: string): boolean {
    const before = identitiesOf(known)
    return Object.entries(identitiesOf(now)).every(([name, identity]) => {
      return before[name] === undefined || before[name] === identity
    })
  }

  async addFields(properties: Fields): Promise<void> {
    this.#fields = { ...this.#fields, ...properties }
    await this.#keepTemplate()
    for (const member of this.#members.values()) await member.addFields(properties)
  }

  /** Makes one of them, unless it is there. */
  async make(name: string): Promise<void> {
    if (this.#members.has(name)) return
    const member = this.#member(name)
    await member.ensure(undefined)
    if (Object.keys(this.#fields).length > 0) await member.addFields(this.#fields)
    this.#members.set(name, member)
  }

  /** What was there is removed, all of it, before it is filled again. */
  async placesToSweep(isAlone: () => Promise<boolean>): Promise<undefined> {
    for (const name of this.#members.keys()) {
      if (!(await isAlone())) return
      await this.#client.call({ method: 'DELETE', path: `/${encodeURIComponent(name)}` }, [404])
    }
    this.#members.clear()
  }

  /** One of them that others make, as by a document of their own, is as ours are. */
  async #keepTemplate(): Promise<void> {
    const { template, index, mapping, dynamic } = this.#options
    if (template === undefined) return
    const isKnown = Object.keys(this.#fields).length > 0
    // Not the alias: the template is for the next generation, too, before that one serves.
    const definition = definitionOf({
      ...this.#options,
      alias: {},
      mapping: { ...mapping, ...this.#fields },
      dynamic: dynamic ?? (isKnown ? 'strict' : undefined),
    })
    const path = `/_index_template/${encodeURIComponent(template)}`
    const body = { index_patterns: [familyPattern(index)], template: definition, priority }
    await this.#client.call({ method: 'PUT', path, body })
  }

  #newTimes(): string {
    return `${randomUUID()}@${this.#options.index}`
  }

  #member(index: string): TargetIndex {
    return new TargetIndex(this.#client, { ...this.#options, index })
  }

  #names(): Promise<readonly string[]> {
    return membersOf(this.#client, this.#options.index, this.#options.mark)
  }
}

/** The generation to which the indexes of an identity belong. */
export function familyOf(identity: string): string | undefined {
  return identitiesOf(identity)['']?.split('@')[1]
}

function identitiesOf(text: string): Identities {
  try {
    return JSON.parse(text) as Identities
  } catch (cause) {
    throw new MillraceError('TARGET_MISCONFIGURED', `No identity: ${text.slice(0, 80)}.`, { cause })
  }
}

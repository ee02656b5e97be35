/*
 * Indexes of which each holds the documents of one time, such as `orders-2025.01`. They are made as
 * documents come for them. The identity names each that there is:
 *
 *   {"":"f81d…","orders-2025.01":"{…}","orders-2025.02":"{…}"}
 *
 * Under the empty name stands what is new each time they are all removed.
 * One that vanishes is taken as old and removed by intention; one that was replaced or rolled back
 * makes another target of them all.
 */
import { randomUUID } from 'node:crypto'
import { MillraceError } from '../../src/core/errors.ts'
import type { ElasticsearchClient } from './client.ts'
import type { Fields } from './mapping.ts'
import { familyPattern } from './placement.ts'
import { TargetIndex, type TargetIndexOptions } from './target-index.ts'

type Identities = Readonly<Record<string, string>>

export class IndexFamily {
  readonly #client: ElasticsearchClient
  readonly #options: TargetIndexOptions
  readonly #members = new Map<string, TargetIndex>()
  #fields: Fields = {}
  #generation: string = randomUUID()

  constructor(client: ElasticsearchClient, options: TargetIndexOptions) {
    this.#client = client
    this.#options = options
  }

  has(index: string): boolean {
    return this.#members.has(index)
  }

  async ensure(known: string | undefined): Promise<string> {
    this.#members.clear()
    for (const name of await this.#names()) this.#members.set(name, this.#member(name))
    this.#generation = (known && identitiesOf(known)['']) ?? this.#generation
    const found: Record<string, string> = { '': this.#generation }
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
    this.#generation = randomUUID()
    return JSON.stringify({ '': this.#generation })
  }

  async identity(): Promise<string | undefined> {
    const found: Record<string, string> = { '': this.#generation }
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

  #member(index: string): TargetIndex {
    return new TargetIndex(this.#client, { ...this.#options, index })
  }

  /** Those that carry our mark: the pattern may fit others. */
  async #names(): Promise<readonly string[]> {
    const path = `/${familyPattern(this.#options.index)}/_mapping?expand_wildcards=open`
    const { body } = await this.#client.call<Mappings>({ method: 'GET', path }, [404])
    const { pipeline, sink } = this.#options.mark
    return Object.entries(body).flatMap(([name, { mappings }]) => {
      const mark = mappings?._meta?.millrace
      return mark?.pipeline === pipeline && mark.sink === sink ? [name] : []
    })
  }
}

type Mappings = Readonly<
  Record<
    string,
    {
      readonly mappings?: {
        readonly _meta?: {
          readonly millrace?: { readonly pipeline: string; readonly sink: string }
        }
      }
    }
  >
>

function identitiesOf(text: string): Identities {
  try {
    return JSON.parse(text) as Identities
  } catch (cause) {
    throw new MillraceError('TARGET_MISCONFIGURED', `No identity: ${text.slice(0, 80)}.`, { cause })
  }
}

import { type IdOf, keyId } from '../../../src/core/document-id.ts'
import type { SinkContext } from '../../../src/core/plugin.ts'
import {
  guessKey,
  type Reading,
  type StoredDocument,
  type ToldState,
} from '../../../src/core/reading.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { changeOf } from '../forms/change.ts'
import { type Membering, membershipsOf } from '../forms/memberships.ts'
import { memberOf, rowKey } from '../forms/open-form.ts'
import { memberOf as memberAt, memberPattern, memberStampKey } from '../keys.ts'
import type { RedisOptions } from '../options.ts'
import { byPages, Glance } from './glance.ts'

/**
 * Reads members of sets by their stamps, whose keys are the ids: each names a set and a member of
 * it. What it says of a member is its score, or `true` in a set without.
 */
export class MemberReading implements Reading {
  readonly idOf: IdOf = keyId
  readonly expires = false
  readonly #glance: Glance
  readonly #membering: Membering
  readonly #memberOf: IdOf
  readonly #template: string
  readonly #isSorted: boolean

  constructor(options: RedisOptions, context: SinkContext) {
    this.#glance = new Glance(options, context)
    this.#membering = { key: rowKey(options, context.topic), score: options.score }
    this.#memberOf = memberOf(options)
    this.#template = options.member
    this.#isSorted = options.as === 'zset'
  }

  statesOf(record: LogRecord): readonly ToldState[] {
    const change = changeOf(record)
    if (typeof change === 'string' || 'code' in change) return []
    const memberships = membershipsOf(change, this.#membering)
    if ('code' in memberships) return []
    const member = this.#memberOf(change.key)
    return memberships.map(({ set, score }) => ({
      id: memberStampKey(set, member),
      doc: score === null ? null : () => score || 'true',
    }))
  }

  keyOf(id: string): Uint8Array | undefined {
    return guessKey(memberAt(id)[1], this.#memberOf, this.#template)
  }

  checkpoint(): Promise<Position | null> {
    return this.#glance.checkpoint()
  }

  async count(): Promise<number> {
    const ids = new Set<string>()
    for await (const { id, doc } of this.all()) if (doc !== null) ids.add(id)
    return ids.size
  }

  async *all(): AsyncGenerator<StoredDocument> {
    for await (const page of this.#glance.scan(memberPattern(this.#membering.key.prefix))) {
      yield* await this.some(page)
    }
  }

  some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    const ours = ids.filter((id) => /^millrace:m\d/.test(id))
    return byPages(ours, (page) => this.#page(page))
  }

  close(): Promise<void> {
    return this.#glance.close()
  }

  async #page(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    const found = await this.#glance.steady(ids, () =>
      Promise.all(ids.map((id) => this.#member(id))),
    )
    return found.flatMap(([stamp, doc], i) => {
      if (!this.#glance.isOurs(stamp)) return []
      return { id: ids[i]!, version: stamp.version, doc }
    })
  }

  async #member(id: string): Promise<string | null> {
    const [set, member] = memberAt(id)
    if (!this.#isSorted) {
      return (await this.#glance.ask<number>('SISMEMBER', set, member)) === 1 ? 'true' : null
    }
    const score = await this.#glance.ask('ZSCORE', set, member)
    return score === null ? null : String(Number(score))
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import {
  heartbeatV4,
  joinGroupV9,
  leaveGroupV5,
  offsetCommitV8,
  syncGroupV5,
} from '@platformatic/kafka'
import { again } from './again.ts'
import {
  assign,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  ownersOf,
} from './assignor.ts'
import { type Access, Cluster } from './cluster.ts'
import { isFault } from './fault.ts'
import { castRoles, type Facts, type Roles } from './roles.ts'

type Joined = joinGroupV9.JoinGroupResponse

export interface MembershipOptions {
  readonly access: Access
  readonly group: string
  /** Topics with the same number of partitions, which are assigned together, number by number. */
  readonly topics: readonly string[]
  readonly partitions: number
  readonly sessionTimeoutMs: number
  /** For members that have state: what this one says of itself, and how it learns of the others. */
  readonly stateful?: Stateful | undefined
}

export interface Stateful {
  /** How many beside the owner keep a copy of a partition's state. */
  readonly standbys: number
  facts(): Facts
  told(roles: Roles, member: string): void
}

/** A partition number that this process shall read. */
export interface Owned {
  readonly partition: number
  /** Aborts when the partition is taken away. */
  readonly signal: AbortSignal
  /** Says that nothing is done with the partition any more: it can go to another process. */
  release(): void
}

interface Ownership extends Owned {
  readonly stop: AbortController
  readonly released: Promise<void>
}

/** How long members may take to finish what they do with partitions that they lose. */
const rebalanceTimeoutMs = 60_000
const protocol = 'millrace'
const retryMs = 250

/** Who a member is, as offsets have to say that it commits. */
export interface Identity {
  readonly member: string
  readonly generation: number
}

/**
 * One member of a consumer group. Partitions come and go without a stop of those that stay: a
 * member that loses some stops reading them and joins again, and only then they are given on.
 */
export class Membership {
  readonly #options: MembershipOptions
  /** For calls that wait at the broker. */
  readonly #joining: Cluster
  readonly #calls: Cluster
  readonly #owned = new Map<number, Ownership>()
  readonly #fresh: Ownership[] = []
  #wake = () => {}
  readonly #closing = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #ended: Promise<void> | undefined
  #member = ''
  #generation = -1
  /** What the last round has given to this member. */
  #assigned: readonly number[] = []
  /** Resolves once this member knows what it is to read. */
  #settled = Promise.withResolvers<void>()
  #failure: unknown

  constructor(options: MembershipOptions) {
    const { access, sessionTimeoutMs } = options
    this.#options = options
    this.#joining = new Cluster({ ...access, requestTimeoutMs: rebalanceTimeoutMs + 15_000 })
    this.#calls = new Cluster({ ...access, requestTimeoutMs: sessionTimeoutMs / 2 })
  }

  /** The partitions as they are assigned, until `signal` aborts. */
  async *assignments(signal: AbortSignal): AsyncGenerator<Owned> {
    const either = AbortSignal.any([signal, this.#closing.signal])
    this.#running = this.#run(either).catch((error) => {
      this.#failure = error
      this.#wake()
    })
    either.addEventListener('abort', () => this.#wake(), { once: true })
    try {
      while (!either.aborted) {
        const next = this.#fresh.shift()
        if (next !== undefined) yield next
        else if (this.#failure !== undefined) throw this.#failure
        else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      // Who leaves the loop has done with everything; who is told to stop needs time for it.
      void this.end(signal.aborted ? rebalanceTimeoutMs : 0)
    }
  }

  /** Who this member is, once no assignment is under way. */
  async identity(): Promise<Identity> {
    await this.#settled.promise
    return { member: this.#member, generation: this.#generation }
  }

  /** Commits offsets to the group, so that Kafka's tools see how far it is. */
  async commit(offsets: ReadonlyMap<string, number>, partition: number): Promise<void> {
    if (!this.#owned.has(partition) || offsets.size === 0) return
    const { group } = this.#options
    const topics = [...offsets].map(([name, next]) => ({
      name,
      partitions: [
        {
          ...{ partitionIndex: partition, committedOffset: BigInt(next) },
          ...{ committedLeaderEpoch: -1, committedMetadata: null },
        },
      ],
    }))
    const address = await this.#calls.coordinator('group', group)
    const what = `Commit offsets of group ${group}`
    const { member, generation } = await this.identity()
    await this.#calls.call(
      address,
      what,
      offsetCommitV8.api,
      group,
      generation,
      member,
      null,
      topics,
    )
  }

  /** Leaves the group, once everything is released, or after so long. */
  end(patienceMs = 0): Promise<void> {
    this.#ended ??= this.#end()
    if (patienceMs === 0) for (const { release } of this.#owned.values()) release()
    return this.#ended
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#join()
        this.#settled.resolve() // Before the lost are let go: they commit what is under way.
        const lost = await this.#settle()
        if (lost) this.#unsettle()
        else await this.#beat(signal)
      } catch (error) {
        this.#unsettle()
        if (signal.aborted) return
        if (isFault(error, 'UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID')) {
          await this.#loseAll()
        } else if (isFault(error, 'REBALANCE_IN_PROGRESS')) {
          // Joins again, and keeps what it has.
        } else if (isFault(error, 'MEMBER_ID_REQUIRED')) {
          this.#member = (error.response as Joined).memberId
        } else if (!isPassing(error)) throw error
        else {
          this.#calls.forget()
          this.#joining.forget()
          await sleep(retryMs, undefined, { signal }).catch(() => {})
        }
      }
    }
  }

  #unsettle(): void {
    this.#settled.resolve()
    this.#settled = Promise.withResolvers()
  }

  /** Takes part in a round of the group: what each member shall read is told to all. */
  async #join(): Promise<void> {
    const { group, topics, sessionTimeoutMs } = this.#options
    const owned = [...this.#owned.keys()]
    const facts = this.#options.stateful?.facts()
    const generation = this.#generation
    const metadata = encodeSubscription({ topics, owned, generation, facts })
    const address = await this.#joining.coordinator('group', group)
    const what = `Join the group ${group}`
    const protocols = [{ name: protocol, metadata }]
    const call = [group, sessionTimeoutMs, rebalanceTimeoutMs, this.#member, null] as const
    const joined = await this.#joining.call(
      ...([address, what, joinGroupV9.api, ...call, 'consumer', protocols] as const),
    )
    this.#member = joined.memberId
    this.#generation = joined.generationId
    const shares = joined.leader === joined.memberId ? this.#share(joined) : []
    const synced = await this.#joining.call(
      ...([address, what, syncGroupV5.api, group, joined.generationId, joined.memberId] as const),
      ...([null, 'consumer', protocol, shares] as const),
    )
    const { partitions, roles } = decodeAssignment(synced.assignment)
    this.#assigned = partitions
    if (roles !== undefined) this.#options.stateful?.told(roles, this.#member)
  }

  #share({ members }: Joined) {
    const known = members.map(({ memberId, metadata }) => ({
      ...decodeSubscription(metadata),
      id: memberId,
    }))
    const { partitions, stateful } = this.#options
    const given = assign(partitions, known)
    const owners = new Map(ownersOf(known)) // Those that are on their way have their old owner.
    for (const [id, numbers] of given) for (const number of numbers) owners.set(number, id)
    const { standbys = 0 } = stateful ?? {}
    const roles = stateful && castRoles({ owners, members: known, partitions, standbys })
    return known.map(({ id, topics }) => ({
      memberId: id,
      assignment: encodeAssignment(topics, { partitions: given.get(id) ?? [], roles }),
    }))
  }

  /** Takes what is new and gives away what is lost; tells whether anything was. */
  async #settle(): Promise<boolean> {
    const lost = [...this.#owned.values()].filter(
      ({ partition }) => !this.#assigned.includes(partition),
    )
    for (const partition of this.#assigned) if (!this.#owned.has(partition)) this.#take(partition)
    if (lost.length === 0) return false
    await this.#lose(lost)
    return true
  }

  #take(partition: number): void {
    const stop = new AbortController()
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const owned = { partition, signal: stop.signal, release, stop, released }
    this.#owned.set(partition, owned)
    this.#fresh.push(owned)
    this.#wake()
  }

  /** The group waits for members that are busy, as long as they give a sign of life. */
  async #lose(lost: readonly Ownership[]): Promise<void> {
    const late = new AbortController()
    const beating = this.#beat(late.signal).catch(() => {})
    await this.#released(lost)
    late.abort()
    await beating
    for (const { partition } of lost) this.#owned.delete(partition)
  }

  /** The group has given everything to others already. */
  async #loseAll(): Promise<void> {
    const all = [...this.#owned.values()]
    this.#owned.clear()
    this.#member = ''
    this.#generation = -1
    await this.#released(all)
  }

  /** Takes partitions from those who read them, and waits for a while until they have done. */
  async #released(lost: readonly Ownership[]): Promise<void> {
    for (const each of lost) {
      each.stop.abort()
      const at = this.#fresh.indexOf(each)
      if (at < 0) continue
      this.#fresh.splice(at, 1) // Nobody has heard of it.
      each.release()
    }
    const patience = sleep(rebalanceTimeoutMs / 2, undefined, { ref: false })
    await Promise.race([Promise.all(lost.map(({ released }) => released)), patience])
  }

  /** Gives signs of life until the group wants something else. */
  async #beat(signal: AbortSignal): Promise<void> {
    const { group, sessionTimeoutMs } = this.#options
    while (!signal.aborted) {
      await sleep(sessionTimeoutMs / 4, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      const beat = async () => {
        const address = await this.#calls.coordinator('group', group)
        const what = `Stay in the group ${group}`
        const [member, generation] = [this.#member, this.#generation]
        await this.#calls.call(address, what, heartbeatV4.api, group, generation, member)
      }
      await again(beat, { patienceMs: sessionTimeoutMs, forget: () => this.#calls.forget() })
    }
  }

  async #end(): Promise<void> {
    this.#closing.abort()
    this.#settled.resolve()
    await this.#released([...this.#owned.values()])
    await this.#leave().catch(() => {})
    await Promise.all([this.#joining.close(), this.#calls.close()])
    await this.#running
  }

  async #leave(): Promise<void> {
    const { group } = this.#options
    if (this.#member === '') return
    const address = await this.#calls.coordinator('group', group)
    const members = [{ memberId: this.#member, groupInstanceId: null, reason: 'stopped' }]
    await this.#calls.call(address, `Leave the group ${group}`, leaveGroupV5.api, group, members)
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof Error && 'kind' in error && error.kind === 'transient'
}

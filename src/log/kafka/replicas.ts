import type { Position } from '../../core/source.ts'
import type { Store } from '../../core/store.ts'
import { StagedStore } from '../staged-store.ts'
import type { Access } from './cluster.ts'
import type { LocalState } from './local-state.ts'
import type { Stateful } from './membership.ts'
import type { Facts, Role, Roles } from './roles.ts'
import { Standby } from './standby.ts'

export interface ReplicasOptions {
  readonly access: Access
  readonly local: LocalState
  readonly task: string
  readonly standbys: number
  /** Where this process answers questions, if it does. */
  readonly url: () => string | undefined
}

/** The durable state of a task on one partition, as this process has it. */
export interface Replica {
  /** What is written to it goes nowhere. */
  readonly store: Store
  /** How far the task had come with it. */
  readonly position: Position | null
  /** How old it may be, in ms, where another process owns the partition. */
  readonly ageMs: number | undefined
}

/** Who has the state of a task: this process for some partitions, others for the rest. */
export class Replicas implements Stateful {
  readonly standbys: number
  readonly standby: Standby
  readonly #options: ReplicasOptions
  #roles: Roles = []
  #member = ''

  constructor(options: ReplicasOptions) {
    this.#options = options
    this.standbys = options.standbys
    this.standby = new Standby(options)
  }

  facts(): Facts {
    return { url: this.#options.url(), copies: this.standby.copies }
  }

  told(roles: Roles, member: string): void {
    this.#roles = roles
    this.#member = member
    const mine = roles.map(({ standbys }) => standbys.some(({ id }) => id === member))
    this.standby.follow([...mine.keys()].filter((partition) => mine[partition]))
  }

  /** How many partitions there are; 0 before this process is a member. */
  get partitions(): number {
    return this.#roles.length
  }

  /** Who else has the state of a partition. */
  others(partition: number): Role {
    const { owner = null, standbys = [] } = this.#roles[partition] ?? {}
    const isOther = ({ id }: { readonly id: string }) => id !== this.#member
    return {
      owner: owner !== null && isOther(owner) ? owner : null,
      standbys: standbys.filter(isOther),
    }
  }

  /** What this process has of a partition. */
  replica(partition: number): Replica | undefined {
    const { local, task } = this.#options
    const isOwn = this.standby.isTaken(partition)
    const ageMs = isOwn ? undefined : this.standby.ageMs(partition)
    if (!isOwn && ageMs === undefined) return undefined
    const { id, position } = local.copyOf(`${task}/${partition}`)
    return { store: new StagedStore(local.state, id), position, ageMs }
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../core/errors.ts'
import { StagedStore } from '../staged-store.ts'
import { Changelog, changelogTopic } from './changelog.ts'
import { type Access, Cluster } from './cluster.ts'
import type { LocalState } from './local-state.ts'

export interface StandbyOptions {
  readonly access: Access
  readonly local: LocalState
  /** The task whose changelog is followed. */
  readonly task: string
}

/** How often a changelog is looked at. */
const everyMs = 200

/**
 * Copies of a task's state that are kept up to date while other processes own it, so that whoever
 * takes a partition over has little to restore.
 */
export class Standby {
  readonly #options: StandbyOptions
  #wanted: ReadonlySet<number> = new Set()
  /** Partitions that a task of this process works on. */
  readonly #taken = new Set<number>()
  readonly #rounds = new Map<number, Promise<void>>()
  /** When a copy was last as its changelog was, in ms since 1970. */
  readonly #seen = new Map<number, number>()
  readonly #stopped = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: StandbyOptions) {
    this.#options = options
  }

  /** The partitions whose state is to be copied here. */
  follow(partitions: Iterable<number>): void {
    this.#wanted = new Set(partitions)
    for (const partition of this.#seen.keys()) {
      if (!this.#wanted.has(partition)) this.#seen.delete(partition)
    }
  }

  /** The partitions of whose state there is a copy that is kept up to date. */
  get copies(): readonly number[] {
    return [...new Set([...this.#seen.keys(), ...this.#taken])]
  }

  /** Whether a task of this process works on the state. */
  isTaken(partition: number): boolean {
    return this.#taken.has(partition)
  }

  /** How long ago the copy was as its changelog was, in ms; undefined if there is none. */
  ageMs(partition: number): number | undefined {
    const seen = this.#seen.get(partition)
    return seen === undefined ? undefined : Date.now() - seen
  }

  /** A task is about to restore the state: nobody else may write it. */
  async take(partition: number): Promise<void> {
    this.#taken.add(partition)
    await this.#rounds.get(partition)
  }

  /** The task is done with the state. */
  give(partition: number): void {
    this.#taken.delete(partition)
  }

  start(): void {
    this.#running ??= this.#run(this.#stopped.signal)
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const cluster = new Cluster(this.#options.access)
    while (!signal.aborted) {
      const partitions = [...this.#wanted].filter((each) => !this.#taken.has(each))
      await Promise.all(partitions.map((partition) => this.#round(cluster, partition)))
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {})
    }
    await cluster.close()
  }

  #round(cluster: Cluster, partition: number): Promise<void> {
    const round = this.#catchUp(cluster, partition).finally(() => this.#rounds.delete(partition))
    this.#rounds.set(partition, round)
    return round
  }

  async #catchUp(cluster: Cluster, partition: number): Promise<void> {
    const { local, task } = this.#options
    const name = `${task}/${partition}`
    const topic = changelogTopic(task)
    const store = new StagedStore(local.state, local.copyOf(name).id)
    try {
      const at = Date.now()
      await new Changelog({ name, topic, partition, local, store }).restore(cluster)
      this.#seen.set(partition, at)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      cluster.forget() // No broker answers: the copy grows old until one does.
    }
  }
}

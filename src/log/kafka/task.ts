import { MillraceError } from '../../core/errors.ts'
import type { Spread, Task } from '../../core/log.ts'
import type { NewRecord } from '../../core/record.ts'
import type { Checkpoint, Outcome } from '../../core/sink.ts'
import type { Batch, Position } from '../../core/source.ts'
import type { Store } from '../../core/store.ts'
import { StagedStore } from '../staged-store.ts'
import { Changelog, changelogTopic } from './changelog.ts'
import { Cluster } from './cluster.ts'
import { dropRead, isHopsTopic } from './hops.ts'
import type { LocalState } from './local-state.ts'
import type { Membership } from './membership.ts'
import { Outlet } from './outlet.ts'
import { decodePosition, readPlaceName } from './position.ts'
import { type GroupOffsets, Producer } from './producer.ts'
import type { Standby } from './standby.ts'
import { ensureTopic } from './topics.ts'
import type { KafkaWiring } from './wiring.ts'

export interface TaskOptions {
  readonly wiring: KafkaWiring
  readonly name: string
  readonly partition: number
  /** How many partitions the topics have that the task's siblings read. */
  readonly partitions: number
  readonly group: string
  readonly spread: Spread | undefined
  /** Who commits the group's offsets. */
  readonly membership: Pick<Membership, 'identity'>
  readonly local: LocalState
  /** What copies the state while others own it. */
  readonly standby?: Standby
}

/** How often records that were read are deleted where nobody else wants them. */
const tidyEveryMs = 30_000

interface Opened {
  readonly producer: Producer
  readonly outlet: Outlet
}

/**
 * A writer with state. Outputs, the changelog of the state, the position and the group's offsets
 * are one transaction; the state on this machine follows it. The transactional id is the task's:
 * whoever resumes it fences its owner before, and a member that has lost the partition is refused.
 */
export class KafkaTask implements Task {
  readonly #options: TaskOptions
  readonly #topic: string
  readonly #store: StagedStore
  readonly #changelog: Changelog
  #opened: Opened | undefined
  #complete = true
  #tidiedAt = Date.now()

  constructor(options: TaskOptions) {
    const { name, partition, local } = options
    const own = `${name}/${partition}`
    this.#options = options
    this.#topic = changelogTopic(name)
    this.#store = new StagedStore(local.state, local.copyOf(own).id)
    const store = this.#store
    this.#changelog = new Changelog({ name: own, topic: this.#topic, partition, local, store })
  }

  get store(): Store {
    return this.#store
  }

  async resume(_source: string): Promise<Position | undefined> {
    await this.close()
    const { wiring, name, partition, partitions, standby } = this.#options
    await standby?.take(partition)
    const cluster = new Cluster(wiring.access)
    try {
      const policy = { ...wiring.policyOf(this.#topic), partitions }
      await ensureTopic(cluster, this.#topic, policy)
      const producer = await Producer.open(wiring.producer(`${name}.${partition}`))
      this.#opened = { producer, outlet: new Outlet(wiring, producer) }
      const position = await this.#changelog.restore(cluster)
      this.#opened = { producer, outlet: new Outlet(wiring, producer, this.#changelog.open) }
      return position
    } finally {
      await cluster.close()
    }
  }

  /** Starts again from the beginning of the log, without state. */
  async clear(): Promise<void> {
    const { producer } = await this.#open()
    this.#changelog.stageReset(producer)
    await producer.commit()
    this.#changelog.follow(producer)
  }

  async write({ records, complete }: Batch<NewRecord>): Promise<readonly Outcome[]> {
    const { outlet } = await this.#open()
    await outlet.write(records)
    this.#complete = complete
    return new Array<Outcome>(records.length).fill('applied')
  }

  async commit({ position, timestamp }: Checkpoint): Promise<void> {
    const { producer, outlet } = await this.#open()
    outlet.end(this.#complete)
    // Without a transaction the outputs have to be there before the position says so.
    if (this.#options.wiring.options.delivery === 'at-least-once') await producer.flush()
    const { open } = outlet
    this.#changelog.stage(producer, { position, timestamp, ...(open.length > 0 && { open }) })
    await producer.commit(await this.#offsets(position))
    this.#changelog.follow(producer)
    await this.#tidy(position)
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    this.#complete = true
    this.#store.drop()
    this.#options.standby?.give(this.#options.partition)
    await opened?.producer.close()
  }

  /** What tasks tell each other goes once it is read. */
  async #tidy(position: Position): Promise<void> {
    const now = Date.now()
    if (now - this.#tidiedAt < tidyEveryMs) return
    this.#tidiedAt = now
    const read = this.#placesOf(position).filter(({ topic }) => isHopsTopic(topic))
    if (read.length === 0) return
    const cluster = new Cluster(this.#options.wiring.access)
    try {
      for (const span of read) await dropRead(cluster, span)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error // The next time will do.
    } finally {
      await cluster.close()
    }
  }

  #placesOf(position: Position) {
    const lanes = decodePosition(position)?.topics ?? new Map<string, never>()
    const { partition } = this.#options
    return [...lanes].map(([lane, { next }]) => ({ ...readPlaceName(lane, partition), next }))
  }

  async #open(): Promise<Opened> {
    if (this.#opened === undefined) await this.resume('')
    return this.#opened!
  }

  async #offsets(position: Position): Promise<GroupOffsets> {
    const { group, membership, spread } = this.#options
    const own = this.#placesOf(position)
      .filter(({ topic }) => !spread?.everywhere?.includes(topic))
      .map(({ topic, partition, next }) => ({ topic, partition, offset: BigInt(next) }))
    return { group, offsets: own, ...(await membership.identity()) }
  }
}

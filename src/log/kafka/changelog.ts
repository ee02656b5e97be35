/*
 * A task's changelog: a compacted topic, one partition for each partition that the task reads.
 *
 *   0 `position` → JSON {position, timestamp}
 *   0 `reset`    → what came before is void
 *   1 <key>      → the value in the task's store; a tombstone where it was deleted
 */
import type { Position } from '../../core/source.ts'
import type { StagedStore } from '../staged-store.ts'
import type { RawRecord } from './batch-reader.ts'
import type { Cluster } from './cluster.ts'
import type { Copy, LocalState } from './local-state.ts'
import type { OpenPartition, StoredPosition } from './position-record.ts'
import type { Producer } from './producer.ts'
import { scanPartition } from './scan-partition.ts'

const positionKey = Buffer.from('\0position')
const resetKey = Buffer.from('\0reset')
const entry = Buffer.from([1])

/** Restored state goes to the disk in pieces of so many entries. */
const atOnce = 5_000

/** Brokers keep deletes for a day, unless they are told otherwise. */
const deletesKeptMs = 12 * 60 * 60 * 1000
/** How often it is noted that a copy is as its changelog, where nothing new comes. */
const notedMs = 60_000

export function changelogTopic(task: string): string {
  return `__millrace.${task}.changelog`
}

export interface ChangelogOptions {
  /** Of one task on one partition. */
  readonly name: string
  readonly topic: string
  readonly partition: number
  readonly local: LocalState
  readonly store: StagedStore
}

/** Keeps a task's store and its changelog the same; the store is never ahead. */
export class Changelog {
  readonly #options: ChangelogOptions
  #copy!: Copy

  constructor(options: ChangelogOptions) {
    this.#options = options
  }

  /**
   * Makes the store a copy of the changelog as it is now, and gives the position that it was
   * written with. Only the owner may call it, as it alone writes the changelog.
   */
  async restore(cluster: Cluster): Promise<Position | undefined> {
    const { name, topic, partition, local, store } = this.#options
    store.drop()
    const identity = {
      cluster: await cluster.id(),
      topicId: (await cluster.topic(topic))?.id ?? '',
    }
    const held = local.copyOf(name)
    const isSame = held.cluster === identity.cluster && held.topicId === identity.topicId
    const isCopy = isSame && !(await this.#isOutdated(cluster, held))
    this.#copy = isCopy ? held : { id: held.id, ...identity, next: 0, position: null }
    if (!isCopy) this.#wipe()
    let count = 0
    const from = this.#copy.next
    const next = await scanPartition(cluster, { topic, partition, from }, (record) => {
      this.#apply(record)
      if (++count % atOnce === 0) this.#save(record.offset + 1)
    })
    const now = Date.now()
    const isNoted = next === held.next && isCopy && now - (held.at ?? 0) < notedMs
    if (!isNoted) this.#save(next, now)
    return this.#copy.position ?? undefined
  }

  /** Compaction may have dropped deletes that such a copy has not had. */
  async #isOutdated(cluster: Cluster, { at, next }: Copy): Promise<boolean> {
    if (at === undefined || Date.now() - at < deletesKeptMs) return false
    const { topic, partition } = this.#options
    const stable = (await cluster.offsets(topic, 'stable'))[partition] ?? 0n
    return Number(stable) > next
  }

  /** The partitions that wait for the end of a commit. */
  get open(): readonly OpenPartition[] {
    return this.#copy.open ?? []
  }

  /** Adds what the store holds uncommitted, and the position, to the transaction under way. */
  stage(producer: Producer, stored: StoredPosition): void {
    const { topic, partition, store } = this.#options
    const timestamp = Date.now()
    for (const [key, value] of store.writes()) {
      producer.add(topic, partition, { key: Buffer.concat([entry, key]), value, timestamp })
    }
    const value = Buffer.from(JSON.stringify(stored))
    producer.add(topic, partition, { key: positionKey, value, timestamp })
    this.#hold(stored)
  }

  /** Voids everything: the task begins again. */
  stageReset(producer: Producer): void {
    const { topic, partition, store } = this.#options
    store.drop()
    const value = Buffer.from('{}')
    producer.add(topic, partition, { key: resetKey, value, timestamp: Date.now() })
    this.stage(producer, { position: null, timestamp: 0 })
    this.#wipe()
  }

  /** The transaction is committed: the store follows. */
  follow(producer: Producer): void {
    const { topic, partition } = this.#options
    this.#save(producer.endOf(topic, partition) ?? this.#copy.next, Date.now())
  }

  /** `at`: when that was all that the changelog had. */
  #save(next: number, at = this.#copy.at): void {
    const { name, local, store } = this.#options
    this.#copy = { ...this.#copy, next, ...(at !== undefined && { at }) }
    local.change(name, this.#copy, () => store.queue())
    store.drop()
  }

  #apply({ key, value }: RawRecord): void {
    const { store } = this.#options
    if (key === null) return
    if (key[0] === entry[0]) {
      const own = key.subarray(1)
      if (value === null) store.delete(own)
      else store.put(own, value)
    } else if (key.equals(positionKey) && value !== null) {
      this.#hold(JSON.parse(value.toString()) as StoredPosition)
    } else if (key.equals(resetKey)) this.#wipe()
  }

  #hold({ position, open }: StoredPosition): void {
    this.#copy = { ...this.#copy, position, open: open ?? [] }
  }

  /** Deletes everything. Until it is done, it is a copy of nothing. */
  #wipe(): void {
    const { name, local, store } = this.#options
    const { id } = this.#copy
    const nothing = { id, cluster: '', topicId: '', next: 0, position: null }
    let count = 0
    for (const [key] of store.scan(Buffer.alloc(0))) {
      store.delete(key)
      if (++count % atOnce > 0) continue
      local.change(name, nothing, () => store.queue())
      store.drop()
    }
  }
}

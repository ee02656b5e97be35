import { skippable } from './skipped.ts'

interface Waiting {
  readonly timestamp: number
  readonly deliver: () => void
}

/**
 * The queues between parts of a topology that would run as tasks of their own on a partitioned log.
 * As there, the queue whose first record is the oldest goes first. They are worked off within the
 * input that filled them, so that nothing of them is left to keep.
 */
export class Boundaries {
  readonly #queues: Waiting[][] = []

  add<T extends { readonly timestamp: number }>(deliver: (item: T) => void): (item: T) => void {
    const queue: Waiting[] = []
    this.#queues.push(queue)
    return (item) => queue.push({ timestamp: item.timestamp, deliver: () => deliver(item) })
  }

  drain(): void {
    for (let next = this.#oldest(); next !== undefined; next = this.#oldest()) {
      skippable(next.shift()!.deliver)
    }
  }

  #oldest(): Waiting[] | undefined {
    let oldest: Waiting[] | undefined
    for (const queue of this.#queues) {
      if (queue.length === 0) continue
      if (oldest === undefined || queue[0]!.timestamp < oldest[0]!.timestamp) oldest = queue
    }
    return oldest
  }
}

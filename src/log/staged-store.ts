import type { Database } from 'lmdb'
import { bufferOf, keyText, lowerBound } from '../core/byte-keys.ts'
import type { Store } from '../core/store.ts'

/**
 * A task's part of the state database, under writes that are not committed yet. Reads see the
 * writes on top of what is stored. `queue` hands them to the transaction under way; they stay on
 * top until `drop`, which the caller calls once that transaction is durable, or has failed.
 */
export class StagedStore implements Store {
  readonly #state: Database<Buffer, Buffer>
  readonly #prefix: Buffer
  /** Where keys get their prefix: LMDB copies them, so none needs a buffer of its own. */
  readonly #room = Buffer.allocUnsafeSlow(4096)
  readonly #staged = new Map<string, Buffer | null>()
  /** The keys of #staged in order, for scans; but for those in #fresh. */
  readonly #sorted: string[] = []
  /**
   * Keys staged since the last scan. Most batches never scan: sorting at once cost 5 % of a join.
   */
  readonly #fresh: string[] = []

  constructor(state: Database<Buffer, Buffer>, task: number) {
    this.#state = state
    this.#prefix = Buffer.allocUnsafe(4)
    this.#prefix.writeUInt32BE(task)
    this.#room.set(this.#prefix)
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const staged = this.#staged.get(keyText(key))
    if (staged !== undefined) return staged ?? undefined
    this.#room.set(key, 4)
    return this.#state.get(this.#room.subarray(0, 4 + key.length))
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#stage(keyText(key), bufferOf(value))
  }

  delete(key: Uint8Array): void {
    this.#stage(keyText(key), null)
  }

  *scan(prefix: Uint8Array): Generator<readonly [Uint8Array, Uint8Array]> {
    const first = keyText(prefix)
    this.#sort()
    let at = lowerBound(this.#sorted, first)
    const staged: [string, Buffer | null][] = []
    for (let key = this.#sorted[at]; key?.startsWith(first); key = this.#sorted[++at]) {
      staged.push([key, this.#staged.get(key)!])
    }
    let i = 0
    for (const [key, value] of this.#stored(prefix)) {
      for (; i < staged.length && staged[i]![0] < key; i++) yield* shown(staged[i]!)
      if (i < staged.length && staged[i]![0] === key) yield* shown(staged[i++]!)
      else yield [Buffer.from(key, 'latin1'), value]
    }
    for (; i < staged.length; i++) yield* shown(staged[i]!)
  }

  /** Adds the writes to the LMDB batch that the caller is in. */
  queue(): void {
    for (const [key, value] of this.#staged) {
      const full = this.#room.subarray(0, 4 + this.#room.write(key, 4, 'latin1'))
      if (value === null) this.#state.remove(full)
      else this.#state.put(full, value)
    }
  }

  /** The writes that are not committed yet; `null` deletes. */
  *writes(): Generator<readonly [key: Buffer, value: Buffer | null]> {
    for (const [key, value] of this.#staged) yield [Buffer.from(key, 'latin1'), value]
  }

  drop(): void {
    this.#staged.clear()
    this.#sorted.length = 0
    this.#fresh.length = 0
  }

  #stage(key: string, value: Buffer | null): void {
    if (!this.#staged.has(key)) this.#fresh.push(key)
    this.#staged.set(key, value)
  }

  /** A few keys are put in their places, many are sorted with the rest. */
  #sort(): void {
    const sorted = this.#sorted
    if (this.#fresh.length <= 32) {
      for (const key of this.#fresh) sorted.splice(lowerBound(sorted, key), 0, key)
    } else {
      for (const key of this.#fresh) sorted.push(key)
      sorted.sort(byCodeUnits)
    }
    this.#fresh.length = 0
  }

  /** In slices, so that no read transaction stays open while the caller works. */
  *#stored(prefix: Uint8Array): Generator<readonly [string, Buffer]> {
    let start: Buffer = Buffer.concat([this.#prefix, prefix])
    const end = successor(start)
    for (let exclusiveStart = false; ; exclusiveStart = true) {
      const range = this.#state.getRange({ start, end, exclusiveStart, limit: 256 })
      const slice = [...range]
      for (const { key, value } of slice) yield [key.toString('latin1', 4), value]
      if (slice.length < 256) return
      start = slice.at(-1)!.key
    }
  }
}

function* shown([key, value]: readonly [string, Buffer | null]): Generator<
  readonly [Uint8Array, Uint8Array]
> {
  if (value !== null) yield [Buffer.from(key, 'latin1'), value]
}

/** The first key behind all that start with `prefix`; a task's number keeps it from overflowing. */
function successor(prefix: Buffer): Buffer {
  const next = Buffer.from(prefix)
  let i = next.length - 1
  while (next[i] === 0xff) i--
  next[i]!++
  return next.subarray(0, i + 1)
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

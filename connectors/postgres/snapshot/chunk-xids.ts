/*
 * Which transactions a snapshot sees. `pg_current_snapshot()` prints `xmin:xmax:xip,xip,…` in
 * 64-bit transaction ids; BEGIN names only the lower 32 bits of one.
 */

export interface Visibility {
  /** All below are over. */
  readonly xmin: bigint
  /** None from here on had ended. */
  readonly xmax: bigint
  /** Those between that had not ended. */
  readonly running: ReadonlySet<bigint>
}

export function parseVisibility(text: string): Visibility {
  const [xmin = '', xmax = '', xip = ''] = text.split(':')
  const running = new Set(xip === '' ? [] : xip.split(',').map(BigInt))
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), running }
}

/** Whether a snapshot sees what a committed transaction did. */
export function sees({ xmin, xmax, running }: Visibility, xid: bigint): boolean {
  return xid < xmin || (xid < xmax && !running.has(xid))
}

const half = 1n << 31n
const epoch = 1n << 32n

/**
 * The 64-bit id that is nearest to `near`: ids that matter together lie within 2^31 of each other.
 */
export function widen(xid: number, near: bigint): bigint {
  const candidate = near - (near % epoch) + BigInt(xid)
  if (candidate > near + half) return candidate >= epoch ? candidate - epoch : candidate
  if (candidate + half < near) return candidate + epoch
  return candidate
}

/**
 * Commits that were streamed, but that a snapshot taken from now on may still not see: a commit is
 * in the WAL before other sessions see it. Those that one snapshot saw, all later ones see.
 */
export class StreamedCommits {
  #near: bigint
  #xids: bigint[]
  /** Those that nobody has asked for yet, as BEGIN named them: every commit comes by here. */
  #narrow: number[] = []

  constructor(near: bigint, xids: readonly bigint[]) {
    this.#near = near
    this.#xids = [...xids]
  }

  add(xid: number): void {
    this.#narrow.push(xid)
  }

  widen(xid: number): bigint {
    return widen(xid, this.#near)
  }

  get count(): number {
    return this.#xids.length + this.#narrow.length
  }

  forget(visibility: Visibility): void {
    this.#xids = this.all.filter((xid) => !sees(visibility, xid))
    this.#near = visibility.xmax
  }

  get all(): readonly bigint[] {
    if (this.#narrow.length > 0) {
      this.#xids = [...this.#xids, ...this.#narrow.splice(0).map((xid) => this.widen(xid))]
    }
    return this.#xids
  }
}

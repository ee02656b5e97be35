import { MillraceError } from './errors.ts'
import type { Outcome, Refusal } from './sink.ts'

/** What the guard looks back on, in records: a batch more where batches are large. */
const windowRecords = 1_000
/** So many refusals are nothing to stop for. */
const toleratedRefusals = 100

interface Seen {
  readonly records: number
  readonly refused: number
}

/**
 * Tells a few bad documents from a target that is set up wrongly: more than 100 refusals, and more
 * than half of the last 1,000 records, stop the sink before their letters are kept. The batch is
 * offered again and again; once half of it is taken the sink goes on. An operator may lift the
 * guard: then all refused records become dead letters, until fewer than half are refused.
 */
export class RefusalGuard {
  #state: 'watching' | 'shut' | 'lifted' = 'watching'
  #seen: Seen[] = []

  get isShut(): boolean {
    return this.#state === 'shut'
  }

  /** Lets refused records pass, however many there are. */
  lift(): void {
    this.#state = 'lifted'
    this.#seen = []
  }

  /** Takes note of a batch. Throws TARGET_MISCONFIGURED if too much was refused. */
  observe(outcomes: readonly Outcome[]): void {
    if (outcomes.length === 0) return
    const refusals = outcomes.filter((outcome) => typeof outcome !== 'string')
    const batch = { records: outcomes.length, refused: refusals.length }
    if (this.#state === 'shut') {
      if (isFlood(batch)) throw flooded(batch, refusals)
      this.#state = 'watching'
      return
    }
    this.#remember(batch)
    const total = sum(this.#seen)
    if (!isFlood(total)) {
      if (total.records >= windowRecords) this.#state = 'watching'
    } else if (this.#state === 'watching' && total.refused > toleratedRefusals) {
      this.#state = 'shut'
      this.#seen = []
      throw flooded(total, refusals)
    }
  }

  #remember(batch: Seen): void {
    this.#seen.push(batch)
    let { records } = sum(this.#seen)
    while (records - this.#seen[0]!.records >= windowRecords) {
      records -= this.#seen.shift()!.records
    }
  }
}

function isFlood({ records, refused }: Seen): boolean {
  return refused * 2 > records
}

function sum(batches: readonly Seen[]): Seen {
  let records = 0
  let refused = 0
  for (const batch of batches) {
    records += batch.records
    refused += batch.refused
  }
  return { records, refused }
}

function flooded({ records, refused }: Seen, refusals: readonly Refusal[]): MillraceError {
  const byCode = Map.groupBy(refusals, ({ code }) => code)
  const most = [...byCode.values()].reduce((a, b) => (b.length > a.length ? b : a))[0]!
  const facts = `${refused} of the last ${records} records were refused, most as ${most.code}: ${most.reason}`
  return new MillraceError(
    'TARGET_MISCONFIGURED',
    `${facts.replace(/\.?$/, '.')} To let such records become dead letters, resume the sink.`,
  )
}

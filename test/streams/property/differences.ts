import { readEnvelope } from '../../../src/core/envelope.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import { canonical } from './canonical.ts'
import type { Moment } from './writers.ts'

export interface Told {
  /** Of the table `commits`, in the order of the log. */
  readonly commits: readonly LogRecord[]
  /** Of each view's topic. */
  readonly views: ReadonlyMap<string, readonly LogRecord[]>
}

/** What a test does to the records, to see whether that is found. */
export type Sabotage = (view: string, record: LogRecord, nth: number) => LogRecord | undefined

/**
 * Folds the views' topics commit by commit, and says where they are not what the database said at
 * that commit, or tell of a change that is none. No more than a few of all.
 */
export function differences(
  moments: ReadonlyMap<number, Moment>,
  told: Told,
  sabotage: Sabotage = (_, record) => record,
): readonly string[] {
  const numbers = numbersOf(told.commits)
  const found: string[] = []
  for (const [view, records] of told.views) {
    const changed = records.flatMap((record, i) => sabotage(view, record, i) ?? [])
    const fold = new Fold(view, found)
    let at = 0
    for (const [sequence, number] of numbers) {
      const until = behind(changed, at, sequence)
      fold.take(changed.slice(at, until), number)
      at = until
      fold.compare(moments.get(number)!.get(view)!, number)
    }
    if (at < changed.length) found.push(`${view}: ${changed.length - at} records too many`)
  }
  return found.slice(0, 5)
}

/** The number of each commit, by its sequence. */
function numbersOf(records: readonly LogRecord[]): readonly (readonly [bigint, number])[] {
  return records.map(({ sequence, value }) => {
    const { after } = readEnvelope(value!)
    return [sequence, (JSON.parse(String(Buffer.from(after!))) as { n: number }).n]
  })
}

/** Where the records end that the commit, or one before it, has caused. */
function behind(records: readonly LogRecord[], from: number, sequence: bigint): number {
  let until = from
  while (until < records.length && records[until]!.cause! <= sequence) until++
  return until
}

class Fold {
  readonly #view: string
  readonly #found: string[]
  readonly #documents = new Map<string, string>()
  #version = -1n

  constructor(view: string, found: string[]) {
    this.#view = view
    this.#found = found
  }

  take(records: readonly LogRecord[], number: number): void {
    const touched = new Set<string>()
    // Before the first of the commits came the snapshot's.
    const isOne = number > 0
    for (const { key, value, version } of records) {
      const text = canonical(String(key))
      const after = value && readEnvelope(value).after
      const document = after && canonical(String(Buffer.from(after)))
      const isTombstone = value === null
      const before = this.#documents.get(text)
      if (isOne && !isTombstone) {
        if (touched.has(text)) this.#fault(number, `${text} is told twice`)
        if (document === (before ?? null)) this.#fault(number, `${text} is told and the same`)
        touched.add(text)
      }
      if (version < this.#version) this.#fault(number, `the version fell at ${text}`)
      this.#version = version
      if (document === null) this.#documents.delete(text)
      else this.#documents.set(text, document)
    }
  }

  compare(wanted: ReadonlyMap<string, string>, number: number): void {
    for (const [key, document] of wanted) {
      const told = this.#documents.get(key)
      if (told !== document) this.#fault(number, `${key} is\n  ${told}\n not\n  ${document}`)
    }
    for (const key of this.#documents.keys()) {
      if (!wanted.has(key)) this.#fault(number, `${key} is there, and should not be`)
    }
  }

  #fault(number: number, what: string): void {
    this.#found.push(`${this.#view} at commit ${number}: ${what}`)
  }
}

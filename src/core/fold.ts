import { type Document, decodeDocument } from './document.ts'
import type { IdOf } from './document-id.ts'
import type { LogRecord } from './record.ts'
import type { Outcome } from './sink.ts'

/** A document on its way to the target, and the states that came before it in the same batch. */
export interface Candidate extends Document {
  /** Place of its record in the batch. */
  readonly index: number
  /** What to write instead if the target refuses this one. */
  readonly older: Candidate | undefined
}

export interface Fold {
  /** The newest state of each id, in the order in which the ids first came. */
  readonly survivors: readonly Candidate[]
  /**
   * One per record. Final for records that are filtered, coalesced, stale or refused; a survivor's
   * is `applied` until `settle` says what the target answered.
   */
  readonly outcomes: Outcome[]
}

/**
 * Keeps the newest state per id of a batch, so that no target sees an id twice in one write.
 *
 * Newest is the greatest version. Inside one commit, which is one version, each record key counts
 * with its last state; among several keys of one id an upsert beats a delete (the row moved to
 * another key), then the greater ordinal wins.
 */
export function foldDocuments(records: readonly LogRecord[], idOf?: IdOf): Fold {
  const outcomes = new Array<Outcome>(records.length)
  const byId = new Map<string, Link | Link[]>()
  for (let index = 0; index < records.length; index++) {
    const read = decodeDocument(records[index]!, idOf)
    if (typeof read === 'string' || 'code' in read) outcomes[index] = read
    else add(byId, linkOf(read, index))
  }
  const survivors: Candidate[] = []
  for (const links of byId.values()) {
    const newest = Array.isArray(links) ? chain(links, outcomes) : links
    outcomes[newest.index] = 'applied'
    survivors.push(newest)
  }
  return { survivors, outcomes }
}

/** Notes what became of a candidate. Returns the one to try next, if it was refused. */
export function settle(
  { outcomes }: Fold,
  candidate: Candidate,
  outcome: Outcome,
): Candidate | undefined {
  outcomes[candidate.index] = outcome
  return typeof outcome === 'string' ? undefined : candidate.older
}

/** What a target keeps of the state it holds under an id. */
export interface Held {
  readonly version: bigint
  readonly ordinal: number
  readonly deleted: boolean
  /** Tells record keys apart; any digest of the key will do. */
  readonly key: string | number | bigint
}

/** Whether a state may replace the one that the target holds: the fold's order, across batches. */
export function supersedes(next: Held, held: Held): boolean {
  if (next.version !== held.version) return next.version > held.version
  if (next.key !== held.key && next.deleted !== held.deleted) return held.deleted
  return next.ordinal >= held.ordinal
}

interface Link extends Document {
  readonly index: number
  older: Link | undefined
}

/** Written out: a spread costs three times as much, and there is one for every record. */
function linkOf({ id, key, body, before, version, ordinal }: Document, index: number): Link {
  return { id, key, body, before, version, ordinal, index, older: undefined }
}

function add(byId: Map<string, Link | Link[]>, link: Link): void {
  const known = byId.get(link.id)
  if (known === undefined) byId.set(link.id, link)
  else if (Array.isArray(known)) known.push(link)
  else byId.set(link.id, [known, link])
}

/** Links the states of one id, newest first, and settles all but the newest. */
function chain(links: Link[], outcomes: Outcome[]): Link {
  const sorted = newestFirst(links)
  const newest = sorted[0]!
  for (let i = 1; i < sorted.length; i++) {
    const link = sorted[i]!
    sorted[i - 1]!.older = link
    const late = link.version < newest.version && link.index > newest.index
    outcomes[link.index] = late ? 'stale' : 'coalesced'
  }
  return newest
}

function newestFirst(links: Link[]): Link[] {
  links.sort(byTime)
  const sorted: Link[] = []
  for (let start = 0; start < links.length; ) {
    let end = start + 1
    while (end < links.length && links[end]!.version === links[start]!.version) end++
    if (end - start === 1) sorted.push(links[start]!)
    else sorted.push(...commitOrder(links.slice(start, end)))
    start = end
  }
  return sorted
}

function byTime(a: Link, b: Link): number {
  if (a.version !== b.version) return a.version < b.version ? 1 : -1
  return b.ordinal - a.ordinal || b.index - a.index
}

/**
 * Of the states of one commit, newest first: upserts that last, deletes that last, and the rest.
 */
function commitOrder(links: readonly Link[]): Link[] {
  const upserts: Link[] = []
  const deletes: Link[] = []
  const passed: Link[] = []
  const keys = new Set<string>()
  for (const link of links) {
    const key = Buffer.from(link.key).toString('latin1')
    if (keys.has(key)) passed.push(link)
    else (link.body === null ? deletes : upserts).push(link)
    keys.add(key)
  }
  return [...upserts, ...deletes, ...passed]
}

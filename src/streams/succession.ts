import { loadProgress, type Progress, saveProgress } from './progress.ts'
import type { Space } from './space.ts'
import type { State } from './state.ts'
import { holdsDocuments, pendingOf } from './topology.ts'

/** Two tasks over the same log: the one that tells its views' topics, and the one to follow it. */
export interface Succession {
  readonly former: State
  /** Of a task that has withheld what it had to tell. */
  readonly next: State
}

/** Whether a task has read history, and knows the documents of its views. */
export function isBuilt(state: State): boolean {
  const { last, open, building } = loadProgress(state) ?? {}
  return last !== undefined && open === undefined && building === undefined
}

/**
 * Whether the next task has read all that the former has, as far as it reads the same topics: only
 * then it may follow, or documents would fall back. `starts` tells by lane the offset of the first
 * record that is still there.
 */
export function hasCaughtUp(
  { former, next }: Succession,
  topics: readonly string[],
  starts: ReadonlyMap<string, bigint>,
): boolean {
  const [before, after] = [loadProgress(former), loadProgress(next)]
  if (before === undefined || after === undefined || !isBuilt(next)) return false
  for (const [lane, offset] of before.offsets) {
    if (!topics.includes(lane.split('/')[0]!) || offset < (starts.get(lane) ?? 0n)) continue
    if ((after.offsets.get(lane) ?? -1n) < offset) return false
  }
  return true
}

/**
 * Has the next state take over what the former has told of its documents, and note which of its own
 * differ: opened in place of the former, it tells these. In parts, each of which is to be
 * committed; cut off anywhere, both go on as before, and it is done again.
 */
export function* inheritTold(succession: Succession, partSize = 5_000): Generator<void> {
  const { former, next } = succession
  let left = partSize
  const names = new Set([...former.names, ...next.names].filter(holdsDocuments))
  for (const name of names) {
    for (const _ of inheritDocuments(succession, name)) {
      if (--left > 0) continue
      left = partSize
      yield
    }
  }
  saveProgress(next, inherited(loadProgress(former)!, loadProgress(next)!))
  yield
}

function* inheritDocuments({ former, next }: Succession, name: string): Generator<void> {
  const [told, own, pending] = [former.space(name), next.space(name), next.space(pendingOf(name))]
  for (const [key, document] of told.entries()) {
    if (inherit({ own, pending }, key, translated(document, former, next))) yield
  }
  for (const [key] of own.entries()) {
    if (told.get(key) !== undefined) continue
    own.delete(key)
    pending.put(key, nothing)
    yield
  }
}

interface Inheriting {
  readonly own: Space
  readonly pending: Space
}

/** Returns whether there was anything to do. */
function inherit({ own, pending }: Inheriting, key: string, told: Buffer): boolean {
  const document = own.get(key)
  if (document !== undefined && told.equals(document)) return false
  own.put(key, told)
  pending.put(key, nothing)
  return true
}

const nothing = new Uint8Array(0)

/** A document begins with the number of its key's columns, which is each state's own. */
function translated(document: Uint8Array, former: State, next: State): Buffer {
  const copy = Buffer.from(document)
  copy.writeUInt16BE(next.shapeId(former.shape(copy.readUInt16BE(0))), 0)
  return copy
}

/** No version is given twice, be it of a commit of which the former has told only a part. */
function inherited({ lastVersion, emitting }: Progress, next: Progress): Progress {
  const given = [lastVersion, emitting?.version ?? 0n, next.lastVersion]
  const most = given.reduce((most, each) => (each > most ? each : most))
  const last = next.last!
  const version = last.version > most ? last.version : most + 1n
  return { ...next, lastVersion: most, emitting: { ...last, version, ordinal: 0 } }
}

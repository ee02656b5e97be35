import type { Emission } from './emission.ts'
import type { State } from './state.ts'

/** A commit that is being read. */
export interface OpenCommit extends Emission {
  readonly sequence: bigint
  /** Of a topology: the place of its next record inside the commit. */
  readonly ordinal?: number
}

/** How far a task has come; kept with its state. */
export interface Progress {
  /** Sequence of the last commit that the tables hold completely. */
  done: bigint
  /** The version that the views' last records had. */
  lastVersion: bigint
  /** The commit that the tables hold in part. */
  open: OpenCommit | undefined
  /** Of each topic, the offset of the last record. */
  offsets: Map<string, bigint>
  /** During a rebuild: per topic, the offset where history ends. Output is withheld until then. */
  building: ReadonlyMap<string, bigint> | undefined
  /** A commit of which only a part is told, and the place of its next record. */
  emitting: (Emission & { readonly ordinal: number }) | undefined
}

export function startOfLog(lastVersion: bigint): Progress {
  return {
    done: -1n,
    lastVersion,
    open: undefined,
    offsets: new Map(),
    building: undefined,
    emitting: undefined,
  }
}

export function hasReached(offsets: ReadonlyMap<string, bigint>, end: ReadonlyMap<string, bigint>) {
  return [...end].every(([topic, offset]) => (offsets.get(topic) ?? -1n) >= offset)
}

/** Bigints and maps as JSON can hold them. */
export function saveProgress(state: State, progress: Progress): void {
  state.write('progress', {
    ...progress,
    done: String(progress.done),
    lastVersion: String(progress.lastVersion),
    open: progress.open && texts(progress.open),
    offsets: offsetTexts(progress.offsets),
    building: progress.building && offsetTexts(progress.building),
    emitting: progress.emitting && texts(progress.emitting),
  })
}

export function loadProgress(state: State): Progress | undefined {
  const saved = state.read<Saved>('progress')
  if (saved === undefined) return undefined
  const { open, building, emitting } = saved
  return {
    done: BigInt(saved.done),
    lastVersion: BigInt(saved.lastVersion),
    open: open && {
      ...emission(open),
      sequence: BigInt(open.sequence),
      ordinal: open.ordinal ?? 0,
    },
    offsets: offsetsOf(saved.offsets),
    building: building && offsetsOf(building),
    emitting: emitting && { ...emission(emitting), ordinal: emitting.ordinal },
  }
}

interface SavedEmission {
  readonly version: string
  readonly cause: string
  readonly timestamp: number
}

interface Saved {
  readonly done: string
  readonly lastVersion: string
  readonly open?: SavedEmission & { readonly sequence: string; readonly ordinal?: number }
  readonly offsets: Readonly<Record<string, string>>
  readonly building?: Readonly<Record<string, string>>
  readonly emitting?: SavedEmission & { readonly ordinal: number }
}

function texts(values: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'bigint' ? String(value) : value,
    ]),
  )
}

function offsetTexts(offsets: ReadonlyMap<string, bigint>): Record<string, string> {
  return Object.fromEntries([...offsets].map(([topic, offset]) => [topic, String(offset)]))
}

function offsetsOf(saved: Readonly<Record<string, string>>): Map<string, bigint> {
  return new Map(Object.entries(saved).map(([topic, offset]) => [topic, BigInt(offset)]))
}

function emission({ version, cause, timestamp }: SavedEmission): Emission {
  return { version: BigInt(version), cause: BigInt(cause), timestamp }
}

import { laneName } from '../core/log.ts'
import type { LogRecord } from '../core/record.ts'
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
  /** The version that the views' last records had. */
  lastVersion: bigint
  /** The commit that the tables hold in part. */
  open: OpenCommit | undefined
  /** By `laneName`, the offset of the last record. */
  offsets: Map<string, bigint>
  /** During a rebuild: by `laneName`, where history ends. Output is withheld until then. */
  building: ReadonlyMap<string, bigint> | undefined
  /** The last commit that the tables hold completely. */
  last: Emission | undefined
  /** A commit of which only a part is told, and the place of its next record. */
  emitting: (Emission & { readonly ordinal: number }) | undefined
}

export function startOfLog(lastVersion: bigint): Progress {
  return {
    lastVersion,
    open: undefined,
    offsets: new Map(),
    building: undefined,
    last: undefined,
    emitting: undefined,
  }
}

/**
 * Whether a task has had the record. By offset: a log on Kafka may merge topics in another order
 * when it reads them again.
 */
export function hasRead(progress: Progress, { topic, partition, offset }: LogRecord): boolean {
  return offset <= (progress.offsets.get(laneName(topic, partition)) ?? -1n)
}

export function noteRead(progress: Progress, { topic, partition, offset }: LogRecord): void {
  progress.offsets.set(laneName(topic, partition), offset)
}

export function hasReached(offsets: ReadonlyMap<string, bigint>, end: ReadonlyMap<string, bigint>) {
  return [...end].every(([topic, offset]) => (offsets.get(topic) ?? -1n) >= offset)
}

/** Bigints and maps as JSON can hold them. */
export function saveProgress(state: State, progress: Progress): void {
  state.write('progress', {
    ...progress,
    lastVersion: String(progress.lastVersion),
    open: progress.open && texts(progress.open),
    offsets: offsetTexts(progress.offsets),
    building: progress.building && offsetTexts(progress.building),
    last: progress.last && texts(progress.last),
    emitting: progress.emitting && texts(progress.emitting),
  })
}

export function loadProgress(state: State): Progress | undefined {
  const saved = state.read<Saved>('progress')
  if (saved === undefined) return undefined
  const { open, building, last, emitting } = saved
  return {
    lastVersion: BigInt(saved.lastVersion),
    open: open && {
      ...emission(open),
      sequence: BigInt(open.sequence),
      ordinal: open.ordinal ?? 0,
    },
    offsets: offsetsOf(saved.offsets),
    building: building && offsetsOf(building),
    last: last && emission(last),
    emitting: emitting && { ...emission(emitting), ordinal: emitting.ordinal },
  }
}

interface SavedEmission {
  readonly version: string
  readonly cause: string
  readonly timestamp: number
}

interface Saved {
  readonly lastVersion: string
  readonly open?: SavedEmission & { readonly sequence: string; readonly ordinal?: number }
  readonly offsets: Readonly<Record<string, string>>
  readonly building?: Readonly<Record<string, string>>
  readonly last?: SavedEmission
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

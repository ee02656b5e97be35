import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from '../stores/ordered-space.ts'
import type { Stamped } from '../stores/stamped.ts'
import type { VersionedStore } from '../stores/versioned-store.ts'
import type { Place } from '../user-function.ts'
import type { Outlet } from './outlet.ts'

/** One record of a stream, between operators. */
export interface FlowRecord {
  readonly key: Json
  readonly value: Json
  readonly timestamp: number
}

/** One step of a table's row. */
export interface TableUpdate {
  readonly key: Json
  /** Null also where nobody knows it: see `TableFlow.knowsBefore`. */
  readonly before: Json
  readonly after: Json
  readonly timestamp: number
  /** False for a versioned table's change of its past. */
  readonly isLatest: boolean
}

/** A stream at work: every record is handed on as it comes. */
export interface StreamFlow {
  readonly kind: 'stream'
  readonly records: Outlet<FlowRecord>
}

/** A table at work. */
export interface TableFlow {
  readonly kind: 'table'
  readonly updates: Outlet<TableUpdate>
  get(key: Json): Stamped | null
  /**
   * Whether `before` is filled in. Asked while the topology is put together: with `force`, a table
   * that would not know starts to keep its rows, and says yes.
   */
  knowsBefore(force: boolean): boolean
  /** Of a versioned table. */
  readonly history?: VersionedStore
}

export type Flow = StreamFlow | TableFlow

/** What a store of a running topology can be asked. */
export interface ReadableStore {
  get(key: Json): Json
  entries(): Iterable<StoredEntry>
  /** Of a versioned store. */
  readonly versions?: VersionedStore
}

export interface StoredEntry {
  readonly key: Json
  /** Of a window, with `end`. */
  readonly start?: number
  readonly end?: number
  readonly value: Json
  /** Missing where the store keeps none: a session's time is its end. */
  readonly timestamp?: number
}

/** What a step gets when it is put to work. */
export interface FlowContext {
  readonly place: Place
  /** State of its own; `part` tells several apart. */
  space(part: string): OrderedSpace
  /** Lets others read a store of this step, by the name given to it or to the step's store. */
  readable(store: ReadableStore, name?: string): void
  /**
   * A place where records would go through a topic, because their key has changed: what was sent
   * is delivered after everything that came before it has been worked off; where several tasks
   * share the keys, by the one that has the item's key.
   */
  boundary<T extends { readonly timestamp: number }>(
    deliver: (item: T) => void,
    keyOf: (item: T) => Json,
  ): (item: T) => void
  /** Whether several tasks share the keys. */
  readonly isSpread: boolean
  /**
   * Whether a table's updates are told as a commit's net effect: once per key, if it changed. The
   * alternative is every step, as Kafka Streams tells them without caches.
   */
  readonly isNet: boolean
  /** What is gathered during a commit is told at its end. */
  atCommit(gathering: Gathering): void
  /** Lets time go on for what waits for it. */
  timed(timed: Timed): void
  /** The topic as a table, where it is one of changes that a log holds. */
  sourceTable?(topic: string): TableFlow & { readonly readable: ReadableStore }
  write(topic: string, record: FlowRecord, keyColumn: string): void
}

/** Updates that one commit's records have come to. */
export interface Gathering {
  /** Tells them. Others get their turn, and what was told may become durable, at each step. */
  flush(): Iterable<void>
  /** Moves what is in memory to the state, as the commit goes on in another transaction. */
  spill(): void
}

/** Which time something waits for: that of the records, or the clock's. */
export type Clock = 'stream' | 'wall'

/** An operator that does something once a time has come. */
export interface Timed {
  readonly clock: Clock
  /** When there is something to do next; `undefined`: nothing waits. */
  due(): number | undefined
  /** The time has come to this. */
  advance(time: number): void
}

import type { MillraceError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import type { LogRecord } from '../core/record.ts'
import type { Outcome } from '../core/sink.ts'
import { Boundaries } from './flow/boundaries.ts'
import type {
  Clock,
  Flow,
  FlowContext,
  FlowRecord,
  Gathering,
  ReadableStore,
  Timed,
} from './flow/flow.ts'
import { Outlet } from './flow/outlet.ts'
import { Skipped, skippable } from './flow/skipped.ts'
import { SourceTable } from './source-table.ts'
import type { State } from './state.ts'
import type { Step } from './step.ts'
import { Table } from './table.ts'
import type { Place } from './user-function.ts'

export interface FlowPlan {
  readonly name: string
  /** In the order of their definition, parents first. */
  readonly steps: readonly Step[]
  readonly topics: ReadonlyMap<string, Step>
}

export interface FlowOptions {
  readonly emission: EmissionMode
  readonly write: (topic: string, record: FlowRecord, keyColumn: string) => void
  /** Whether a failure of the user's code leaves out what it was given, or ends the work. */
  readonly skipsFailures?: boolean
  /** Sends what crosses a boundary, where several tasks share the keys. */
  readonly hop?: (to: string, item: { readonly timestamp: number }, key: Json) => void
  /** Whether topics hold changes, as on a log, or records that are already read. */
  readonly readsChanges?: boolean
}

/** How tables tell their updates: each by itself, or the net effect of each commit. */
export type EmissionMode = 'perRecord' | 'perCommit'

/**
 * A topology at work record by record: each input is worked off to its end before the next. All
 * that it remembers beyond a commit is in the state.
 */
export class FlowGraph {
  readonly #state: State
  readonly #options: FlowOptions
  readonly #inlets = new Map<string, Outlet<FlowRecord>>()
  readonly #tables = new Map<string, SourceTable>()
  readonly #stores = new Map<string, ReadableStore>()
  readonly #boundaries = new Boundaries()
  readonly #arrivals = new Map<string, (item: unknown) => void>()
  readonly #gatherings: Gathering[] = []
  readonly #timed: Timed[] = []
  #failures: MillraceError[] = []

  constructor(plan: FlowPlan, state: State, options: FlowOptions) {
    this.#state = state
    this.#options = options
    const flows = new Map<Step, Flow>()
    const topics = new Map([...plan.topics].map(([topic, step]) => [step, topic]))
    const names = new Set<string>()
    for (const step of plan.steps) {
      const stateName = stateNameOf(step, names)
      const topic = topics.get(step)
      const parents = topic === undefined ? this.#flowsOf(step, flows) : [this.#inlet(topic)]
      const place = this.#placeOf(plan, step)
      flows.set(step, step.flow!(parents, this.#context(step, place, stateName)))
    }
  }

  process(topic: string, record: FlowRecord): void {
    this.#inlets.get(topic)?.forward(record)
    this.#boundaries.drain()
  }

  /** Takes what another task has sent across a boundary. */
  arrive(boundary: string, item: unknown): void {
    skippable(() => this.#arrivals.get(boundary)?.(item))
  }

  /** Takes a record of a topic that is read as a table; `undefined` if this is none. */
  take(record: LogRecord): Outcome | undefined {
    const outcome = this.#tables.get(record.topic)?.take(record)
    this.#boundaries.drain()
    return outcome
  }

  /** Tells what the records since the last commit have come to, if that is how it is told. */
  *endCommit(): Generator<void> {
    for (const gathering of this.#gatherings) {
      for (const _ of gathering.flush()) {
        this.#boundaries.drain()
        yield
      }
      this.#boundaries.drain()
    }
    for (const table of this.#tables.values()) table.endCommit()
  }

  /** Keeps what a commit has come to so far in the state. */
  spill(): void {
    for (const gathering of this.#gatherings) gathering.spill()
  }

  /** Lets time go on without a record. */
  advance(clock: Clock, time: number): void {
    for (const timed of this.#timed) {
      if (timed.clock !== clock) continue
      skippable(() => timed.advance(time))
      this.#boundaries.drain()
    }
  }

  /** When something waits for the time to come, next. */
  due(clock: Clock): number | undefined {
    const times = this.#timed.filter((timed) => timed.clock === clock).map((timed) => timed.due())
    const known = times.filter((time) => time !== undefined)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  /** Failures of the user's code that were gone past since the last call. */
  takeFailures(): readonly MillraceError[] {
    const failures = this.#failures
    if (failures.length > 0) this.#failures = []
    return failures
  }

  store(name: string): ReadableStore | undefined {
    return this.#stores.get(name)
  }

  get stores(): ReadonlyMap<string, ReadableStore> {
    return this.#stores
  }

  #flowsOf(step: Step, flows: ReadonlyMap<Step, Flow>): readonly Flow[] {
    return step.parents.map((parent) => flows.get(parent)!)
  }

  #inlet(topic: string): Flow {
    const records = new Outlet<FlowRecord>()
    this.#inlets.set(topic, records)
    return { kind: 'stream', records }
  }

  #placeOf({ name }: FlowPlan, step: Step): Place {
    const place = { view: name, topic: rootTopic(step), step: step.name }
    if (!this.#options.skipsFailures) return place
    const skip = (error: MillraceError) => {
      this.#failures.push(error)
      return new Skipped()
    }
    return { ...place, skip }
  }

  #context(step: Step, place: Place, stateName: string): FlowContext {
    const { write, emission, readsChanges = false } = this.#options
    return {
      place,
      space: (part) => this.#state.ordered(`${stateName}/${part}`),
      readable: (store, name = step.store) => {
        if (name !== undefined) this.#stores.set(name, store)
      },
      boundary: (deliver, keyOf) => this.#boundary(stateName, deliver, keyOf),
      isSpread: this.#options.hop !== undefined,
      isNet: emission === 'perCommit',
      atCommit: (gathering) => this.#gatherings.push(gathering),
      timed: (timed) => this.#timed.push(timed),
      ...(readsChanges && { sourceTable: (topic) => this.#table(topic) }),
      write,
    }
  }

  #boundary<T extends { readonly timestamp: number }>(
    stateName: string,
    deliver: (item: T) => void,
    keyOf: (item: T) => Json,
  ): (item: T) => void {
    const { hop } = this.#options
    if (hop === undefined) return this.#boundaries.add(deliver)
    let name = stateName
    for (let i = 2; this.#arrivals.has(name); i++) name = `${stateName}#${i}`
    this.#arrivals.set(name, deliver as (item: unknown) => void)
    return (item) => hop(name, item, keyOf(item))
  }

  #table(topic: string): SourceTable {
    const table = new SourceTable(new Table(topic, this.#state))
    this.#tables.set(topic, table)
    return table
  }
}

/** What the user called it, or how it came about; equal ways are told apart by a number. */
function stateNameOf({ name, store }: Step, taken: Set<string>): string {
  const wanted = store === undefined ? name : `store ${store}`
  let stateName = wanted
  for (let i = 2; taken.has(stateName); i++) stateName = `${wanted}#${i}`
  taken.add(stateName)
  return stateName
}

function rootTopic(step: Step): string {
  const [parent] = step.parents
  return parent === undefined ? step.name : rootTopic(parent)
}

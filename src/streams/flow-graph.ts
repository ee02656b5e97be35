import { Boundaries } from './flow/boundaries.ts'
import type { Flow, FlowContext, FlowRecord, ReadableStore } from './flow/flow.ts'
import { Outlet } from './flow/outlet.ts'
import type { State } from './state.ts'
import type { Step } from './step.ts'
import type { Place } from './user-function.ts'

export interface FlowPlan {
  readonly name: string
  /** In the order of their definition, parents first. */
  readonly steps: readonly Step[]
  readonly topics: ReadonlyMap<string, Step>
}

export interface FlowOptions {
  readonly emission: EmissionMode
  readonly write: (topic: string, record: FlowRecord) => void
}

/** How tables tell their updates: each by itself, or the net effect of each commit. */
export type EmissionMode = 'perRecord' | 'perCommit'

/**
 * A topology at work record by record: each input is worked off to its end before the next. All
 * that it remembers beyond a commit is in the state.
 */
export class FlowGraph {
  readonly #inlets = new Map<string, Outlet<FlowRecord>>()
  readonly #stores = new Map<string, ReadableStore>()
  readonly #boundaries = new Boundaries()
  readonly #flushes: (() => void)[] = []
  readonly #isNet: boolean
  readonly #write: (topic: string, record: FlowRecord) => void

  constructor(plan: FlowPlan, state: State, { write, emission }: FlowOptions) {
    this.#write = write
    this.#isNet = emission === 'perCommit'
    const flows = new Map<Step, Flow>()
    const topics = new Map([...plan.topics].map(([topic, step]) => [step, topic]))
    const names = new Set<string>()
    for (const step of plan.steps) {
      const stateName = stateNameOf(step, names)
      const topic = topics.get(step)
      const parents = topic === undefined ? this.#flowsOf(step, flows) : [this.#inlet(topic)]
      const place = { view: plan.name, topic: rootTopic(step), step: step.name }
      flows.set(step, step.flow!(parents, this.#context(step, place, stateName, state)))
    }
  }

  process(topic: string, record: FlowRecord): void {
    this.#inlets.get(topic)?.forward(record)
    this.#boundaries.drain()
  }

  /** Tells what the records since the last commit have come to, if that is how it is told. */
  endCommit(): void {
    for (const flush of this.#flushes) {
      flush()
      this.#boundaries.drain()
    }
  }

  store(name: string): ReadableStore | undefined {
    return this.#stores.get(name)
  }

  #flowsOf(step: Step, flows: ReadonlyMap<Step, Flow>): readonly Flow[] {
    return step.parents.map((parent) => flows.get(parent)!)
  }

  #inlet(topic: string): Flow {
    const records = new Outlet<FlowRecord>()
    this.#inlets.set(topic, records)
    return { kind: 'stream', records }
  }

  #context(step: Step, place: Place, stateName: string, state: State): FlowContext {
    return {
      place,
      space: (part) => state.ordered(`${stateName}/${part}`),
      readable: (store) => {
        if (step.store !== undefined) this.#stores.set(step.store, store)
      },
      boundary: (deliver) => this.#boundaries.add(deliver),
      isNet: this.#isNet,
      atCommit: (flush) => this.#flushes.push(flush),
      write: (topic, record) => this.#write(topic, record),
    }
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

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

/**
 * A topology at work record by record, as Kafka Streams emits: each input is worked off to its end,
 * and every step in between is told. All that it remembers is in the state.
 */
export class FlowGraph {
  readonly #inlets = new Map<string, Outlet<FlowRecord>>()
  readonly #stores = new Map<string, ReadableStore>()
  readonly #boundaries = new Boundaries()
  readonly #write: (topic: string, record: FlowRecord) => void

  constructor(plan: FlowPlan, state: State, write: (topic: string, record: FlowRecord) => void) {
    this.#write = write
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

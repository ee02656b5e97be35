import type { Json } from '../core/json.ts'
import type { FlowRecord, ReadableStore } from './flow/flow.ts'
import { FlowGraph } from './flow-graph.ts'
import { MemoryStore } from './memory-store.ts'
import { State } from './state.ts'
import { StreamTopology, type TopologyDefinition } from './stream-topology.ts'

/** A record that came out of a topology. */
export interface TestRecord extends FlowRecord {
  readonly topic: string
}

/** A record to put in. Without a time, it has the time that the test has come to. */
export interface TestInput {
  readonly key?: Json
  readonly value: Json
  readonly timestamp?: number
}

/**
 * A topology in a test: no log, no clock. Each input is worked off to its end before `pipe`
 * returns, and what came out waits to be read.
 */
export class TestTopology {
  readonly #graph: FlowGraph
  readonly #topics: ReadonlySet<string>
  readonly #outputs: TestRecord[] = []
  #now = 0

  constructor(definition: TopologyDefinition) {
    const plan = new StreamTopology('test', definition)
    const state = new State(new MemoryStore())
    this.#topics = new Set(plan.topics.keys())
    this.#graph = new FlowGraph(plan, state, (topic, { key, value, timestamp }) => {
      this.#outputs.push({ topic, key, value, timestamp })
    })
  }

  /** Puts a record into a topic that the topology reads. */
  pipe(topic: string, { key = null, value, timestamp = this.#now }: TestInput): void {
    if (!this.#topics.has(topic)) {
      const topics = [...this.#topics].join(', ')
      throw new Error(`The topology does not read ${topic}; it reads: ${topics}.`)
    }
    this.#now = Math.max(this.#now, timestamp)
    this.#graph.process(topic, { key, value, timestamp })
  }

  /** Moves the time that inputs without one get. */
  advance(ms: number): void {
    this.#now += ms
  }

  /** Takes what has come out since the last call: of one topic, or of all. */
  read(topic?: string): TestRecord[] {
    const isWanted = (record: TestRecord) => topic === undefined || record.topic === topic
    const taken = this.#outputs.filter(isWanted)
    const left = this.#outputs.filter((record) => !isWanted(record))
    this.#outputs.splice(0, this.#outputs.length, ...left)
    return taken
  }

  /** A store by the name that the topology gave it. */
  store(name: string): ReadableStore {
    const store = this.#graph.store(name)
    if (store === undefined) throw new Error(`The topology has no store ${name}.`)
    return store
  }
}

/** Puts a topology to work in memory. */
export function testTopology(definition: TopologyDefinition): TestTopology {
  return new TestTopology(definition)
}

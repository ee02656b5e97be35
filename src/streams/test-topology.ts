import type { Json } from '../core/json.ts'
import type { FlowRecord, ReadableStore } from './flow/flow.ts'
import { type EmissionMode, FlowGraph } from './flow-graph.ts'
import { MemoryStore } from './memory-store.ts'
import { State } from './state.ts'
import { emissionOf, StreamTopology, type TopologyDefinition } from './stream-topology.ts'

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

export interface TestOptions {
  /** In place of what the topology's `emit` says. */
  readonly emission?: EmissionMode
}

/**
 * A topology in a test: no log, no clock. Each input is worked off to its end before `pipe`
 * returns, and what came out waits to be read.
 */
export class TestTopology {
  readonly #plan: StreamTopology
  readonly #store = new MemoryStore()
  #graph: FlowGraph
  /** Those that it reads. */
  readonly topics: ReadonlySet<string>
  readonly #outputs: TestRecord[] = []
  readonly #emission: EmissionMode
  #now = 0

  constructor(definition: TopologyDefinition, { emission }: TestOptions) {
    this.#plan = new StreamTopology('test', definition)
    this.#emission = emission ?? emissionOf(this.#plan)
    this.topics = new Set(this.#plan.topics.keys())
    this.#graph = this.#open()
  }

  /** Starts anew on the state that is stored, as a process does after a crash. */
  restart(): void {
    this.#graph = this.#open()
  }

  /** Puts a record into a topic that the topology reads, as a commit of its own. */
  pipe(topic: string, input: TestInput): void {
    this.commit([{ topic, ...input }])
  }

  /** Puts several records in that were committed together. */
  commit(inputs: readonly (TestInput & { readonly topic: string })[]): void {
    for (const input of inputs) this.#process(input)
    this.#endCommit()
  }

  #endCommit(): void {
    for (const _ of this.#graph.endCommit()) {
      // Nobody else waits for a turn.
    }
    this.#store.commit()
  }

  #process({ topic, key = null, value, timestamp = this.#now }: TestInput & { topic: string }) {
    if (!this.topics.has(topic)) {
      const topics = [...this.topics].join(', ')
      throw new Error(`The topology does not read ${topic}; it reads: ${topics}.`)
    }
    this.#now = Math.max(this.#now, timestamp)
    this.#graph.process(topic, { key, value, timestamp })
  }

  /**
   * Moves the clock, and with it the time that inputs without one get. Timers of the clock come
   * due; with the topology's `idleMs`, so do windows and whatever else waits for time to go on.
   */
  advance(ms: number): void {
    this.#now += ms
    const { idleMs } = this.#plan.options
    this.#graph.advance('wall', this.#now)
    if (idleMs !== undefined && ms >= idleMs) this.#graph.advance('stream', this.#now - idleMs)
    this.#endCommit()
  }

  /** Takes what has come out since the last call: of one topic, or of all. */
  read(topic?: string): TestRecord[] {
    const isWanted = (record: TestRecord) => topic === undefined || record.topic === topic
    const taken = this.#outputs.filter(isWanted)
    const left = this.#outputs.filter((record) => !isWanted(record))
    this.#outputs.splice(0, this.#outputs.length, ...left)
    return taken
  }

  #open(): FlowGraph {
    const state = new State(this.#store)
    const write = (topic: string, { key, value, timestamp }: FlowRecord) => {
      this.#outputs.push({ topic, key, value, timestamp })
    }
    const skipsFailures = (this.#plan.options.onError ?? 'fail') !== 'fail'
    return new FlowGraph(this.#plan, state, { write, emission: this.#emission, skipsFailures })
  }

  /** A store by the name that the topology gave it. */
  store(name: string): ReadableStore {
    const store = this.#graph.store(name)
    if (store === undefined) throw new Error(`The topology has no store ${name}.`)
    return store
  }
}

/** Puts a topology to work in memory. */
export function testTopology(
  definition: TopologyDefinition,
  options: TestOptions = {},
): TestTopology {
  return new TestTopology(definition, options)
}

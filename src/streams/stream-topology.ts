import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import { streamOf } from './flow/kinds.ts'
import { tableOfStream } from './flow/stream-table.ts'
import { versionedTable } from './flow/versioned-table.ts'
import type { FlowPlan } from './flow-graph.ts'
import { GlobalKTable } from './global-ktable.ts'
import { KStream, type TableStoring } from './kstream.ts'
import { KTable, type Stored } from './ktable.ts'
import type { Step } from './step.ts'

/** What a topology can be made of. Every topic is one of these. */
export interface StreamScope {
  /** A topic as a stream of records. Types declare what they look like; nothing checks them. */
  stream<V, K = Json>(topic: string): KStream<V, K>
  /** A topic as a table; with `historyMs` a versioned one. */
  table<V, K = Json>(topic: string, options?: TableStoring): KTable<V, K>
  globalTable<V, K = Json>(topic: string, options?: Stored): GlobalKTable<V, K>
}

/** Describes a topology: from the topics it reads to those it writes. */
export interface TopologyDefinition {
  readonly build: (scope: StreamScope) => void
}

/** `defineTopology(({ stream }) => { stream<Order>('orders').filter(isPaid).to('paid') })` */
export function defineTopology(build: (scope: StreamScope) => void): TopologyDefinition {
  return { build }
}

/** A topology's steps, as its definition lists them. */
export class StreamTopology implements FlowPlan {
  readonly name: string
  readonly steps: Step[] = []
  readonly topics = new Map<string, Step>()

  constructor(name: string, { build }: TopologyDefinition) {
    this.name = name
    build({
      stream: (topic) => new KStream(this.#source('stream', topic, {})),
      table: (topic, options = {}) => new KTable(this.#source('table', topic, options)),
      globalTable: (topic, options = {}) =>
        new GlobalKTable(this.#source('globalTable', topic, options)),
    })
  }

  /** Changes with the names, the operators and the texts of their functions. */
  get hash(): string {
    const places = new Map(this.steps.map((step, place) => [step, place]))
    const told = this.steps.map(({ name, store, definition, parents }) => {
      return [name, store, definition, parents.map((parent) => places.get(parent))]
    })
    return createHash('sha256').update(JSON.stringify(told)).digest('hex')
  }

  #source(
    kind: 'stream' | 'table' | 'globalTable',
    topic: string,
    { store, historyMs }: TableStoring,
  ): Step {
    const known = this.topics.get(topic)
    const definition = JSON.stringify([kind, store, historyMs])
    if (known !== undefined) {
      if (known.definition === definition) return known
      const message = `Topic ${topic} is read in two ways: ${known.definition} and ${definition}.`
      throw new MillraceError('CONFIG_INVALID', message)
    }
    const step: Step = {
      ...{ name: topic, parents: [], definition, store, listed: this.steps },
      open: () => {
        throw new Error('a topic of records is opened by its topology')
      },
      flow: ([parent], context) => {
        if (kind === 'stream') return streamOf(parent)
        return historyMs === undefined
          ? tableOfStream(streamOf(parent), context)
          : versionedTable(streamOf(parent), context, historyMs)
      },
    }
    this.topics.set(topic, step)
    this.steps.push(step)
    return step
  }
}

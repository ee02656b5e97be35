import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import type { Flow, FlowContext, StreamFlow } from './flow/flow.ts'
import { streamOf } from './flow/kinds.ts'
import { Outlet } from './flow/outlet.ts'
import { tableOfStream } from './flow/stream-table.ts'
import { type UserCode, userCode } from './flow/user-code.ts'
import { versionedTable } from './flow/versioned-table.ts'
import type { EmissionMode, FlowPlan } from './flow-graph.ts'
import { GlobalKTable } from './global-ktable.ts'
import { KStream, type TableStoring } from './kstream.ts'
import { KTable, type Stored } from './ktable.ts'
import type { Routes } from './routes.ts'
import type { Step } from './step.ts'

/** How a topic becomes a stream. */
export interface StreamReading<V, K> {
  /** The record's time in ms since 1970; by default that of its commit. */
  readonly timestamp?: (value: V, key: K) => number
}

/** What a topology can be made of. Every topic is one of these. */
export interface StreamScope {
  /** A topic as a stream of records. Types declare what they look like; nothing checks them. */
  stream<V, K = Json>(topic: string, reading?: StreamReading<V, K>): KStream<V, K>
  /** A topic as a table; with `historyMs` a versioned one. */
  table<V, K = Json>(topic: string, options?: TableStoring): KTable<V, K>
  globalTable<V, K = Json>(topic: string, options?: Stored): GlobalKTable<V, K>
}

export interface TopologyOptions {
  /**
   * How tables tell their updates when they leave it: once per key and source commit with its net
   * effect, or every step of every record, as Kafka Streams does without caches.
   */
  readonly emit?: 'commit' | 'record'
  /**
   * What becomes of a record for which code of the topology throws: `fail` stops the topology,
   * `skip` leaves the record out at that step, `deadLetter` also keeps it in `<topic>.dlq`.
   */
  readonly onError?: 'fail' | 'skip' | 'deadLetter'
  /**
   * After so long without any record, windows close and waiting records are told by the clock, less
   * this time. By default they wait for the next record.
   */
  readonly idleMs?: number
  /**
   * So many tasks share the work by its keys, over as many processes, where the log is on Kafka.
   * Each record is then worked off by itself: a commit is not seen as a whole.
   */
  readonly partitions?: number
  /** What it answers over HTTP, under its name. */
  readonly routes?: Routes
}

/** Describes a topology: from the topics it reads to those it writes. */
export interface TopologyDefinition {
  readonly build: (scope: StreamScope) => void
  readonly options: TopologyOptions
}

/** `defineTopology(({ stream }) => { stream<Order>('orders').filter(isPaid).to('paid') })` */
export function defineTopology(
  build: (scope: StreamScope) => void,
  options: TopologyOptions = {},
): TopologyDefinition {
  return { build, options }
}

/** How the topology's tables tell their updates. */
export function emissionOf({ options }: StreamTopology): EmissionMode {
  return options.emit === 'record' ? 'perRecord' : 'perCommit'
}

const mostTasks = 1_000

type SourceKind = 'stream' | 'table' | 'globalTable'

interface Reading extends TableStoring {
  readonly timestamp?: UserCode | undefined
}

/** A topology's steps, as its definition lists them. */
export class StreamTopology implements FlowPlan {
  readonly name: string
  readonly options: TopologyOptions
  readonly steps: Step[] = []
  readonly topics = new Map<string, Step>()
  /** The topics that every task reads whole, where there are several. */
  readonly globalTopics: string[] = []

  constructor(name: string, { build, options }: TopologyDefinition) {
    this.name = name
    this.options = options
    const { partitions = 1 } = options
    if (!Number.isInteger(partitions) || partitions < 1 || partitions > mostTasks) {
      const message = `\`partitions\` of ${name} must be a whole number from 1 to ${mostTasks}.`
      throw new MillraceError('CONFIG_INVALID', message)
    }
    build({
      stream: (topic, { timestamp } = {}) =>
        new KStream(this.#source('stream', topic, { timestamp: timestamp as UserCode })),
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
    const { emit = 'commit', partitions = 1 } = this.options
    return createHash('sha256')
      .update(JSON.stringify([told, emit, ...(partitions > 1 ? [partitions] : [])]))
      .digest('hex')
  }

  /** The topics it writes, as far as they do not depend on records. */
  get outputs(): readonly string[] {
    const topics = this.steps.flatMap(({ output }) => (output === undefined ? [] : [output]))
    return [...new Set(topics)]
  }

  /** Whether it writes topics that its records name. */
  get hasOpenOutputs(): boolean {
    return this.steps.some(({ name, output }) => name.endsWith('.to()') && output === undefined)
  }

  #source(kind: SourceKind, topic: string, reading: Reading): Step {
    const { store, historyMs, timestamp } = reading
    const known = this.topics.get(topic)
    const definition = JSON.stringify([kind, store, historyMs, timestamp && String(timestamp)])
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
      flow: ([parent], context) => readTopic(kind, topic, { ...reading, parent, context }),
    }
    this.topics.set(topic, step)
    if (kind === 'globalTable') this.globalTopics.push(topic)
    this.steps.push(step)
    return step
  }
}

interface Opening extends Reading {
  readonly parent: Flow | undefined
  readonly context: FlowContext
}

function readTopic(
  kind: SourceKind,
  topic: string,
  { parent, context, historyMs, timestamp }: Opening,
): Flow {
  const stream = streamOf(parent)
  if (kind === 'stream') return timestamp ? timedBy(timestamp, stream, context) : stream
  if (historyMs !== undefined) return versionedTable(stream, context, historyMs)
  const table = context.sourceTable?.(topic)
  if (table === undefined) return tableOfStream(stream, context)
  context.readable(table.readable)
  return table
}

function timedBy(timestamp: UserCode, { records: source }: StreamFlow, { place }: FlowContext) {
  const records: StreamFlow['records'] = new Outlet()
  const call = timestamp as unknown as (value: Json, key: Json) => number
  const checked = (value: Json, key: Json) => {
    const time = call(value, key)
    if (!Number.isFinite(time)) throw new TypeError(`its timestamp is ${time}, not a number`)
    return time
  }
  const timeOf = userCode<readonly [Json, Json], number>(checked as unknown as UserCode, place)
  source.connect((record) => {
    const time = record.value === null ? record.timestamp : timeOf(record.value, record.key)
    records.forward({ ...record, timestamp: time })
  })
  return { kind: 'stream', records } as const
}

import { setTimeout as sleep } from 'node:timers/promises'
import { acknowledged, decodePosition } from '../../../connectors/postgres/position.ts'
import { type Serving, type Subject, serveConsole } from '../../console/server.ts'
import type { Log, LogInfo } from '../../core/log.ts'
import type { Position } from '../../core/source.ts'
import { EmbeddedLog } from '../../log/embedded.ts'
import { getJson } from '../../log/environment.ts'
import { StagedStore } from '../../log/staged-store.ts'
import { FlowGraph } from '../../streams/flow-graph.ts'
import { answerRoute } from '../../streams/routes.ts'
import { State } from '../../streams/state.ts'
import type { Topology } from '../../streams/topology.ts'
import { readableView } from '../../streams/view-reader.ts'
import type { Parts, StreamPart, ViewsPart } from '../run/pipeline.ts'
import { showMetrics } from './metrics.ts'
import type { Status } from './status.ts'

export interface Asked {
  readonly parts: Parts
  readonly log: Log
  readonly topology: Topology
  readonly status: () => Promise<Status>
}

export interface HttpOptions {
  readonly host: string
  readonly port: number
  readonly token?: string | undefined
}

/** Answers questions about a running pipeline over HTTP. */
export function serveHttp({ host, port, token }: HttpOptions, asked: Asked): Promise<Serving> {
  return serveConsole({ host, port, token }, new PipelineSubject(asked))
}

/** State is read as of the last durable commit, never from what is under way. */
class PipelineSubject implements Subject {
  readonly #asked: Asked

  constructor(asked: Asked) {
    this.#asked = asked
  }

  status() {
    return this.#asked.status()
  }

  async metrics() {
    return showMetrics(await this.#asked.status())
  }

  names() {
    const stores = this.#streams.flatMap((part) => [...(this.#graph(part)?.stores.keys() ?? [])])
    return { stores, views: this.#asked.topology.views.map(({ name }) => name) }
  }

  open(kind: 'stores' | 'views', name: string) {
    if (kind === 'stores') {
      for (const part of this.#streams) {
        const store = this.#graph(part)?.store(name)
        if (store !== undefined) return store
      }
      return undefined
    }
    const { views } = this.#asked.parts
    const isView = this.#asked.topology.views.some((view) => view.name === name)
    const state = isView && views !== undefined ? this.#state(views) : undefined
    return state && readableView(state, name)
  }

  route(path: string) {
    for (const part of this.#streams) {
      const rest = path.startsWith(`/${part.name}/`) ? path.slice(part.name.length + 1) : undefined
      const graph = rest === undefined ? undefined : this.#graph(part)
      if (graph === undefined) continue
      const found = answerRoute(part.topology.options.routes ?? {}, rest!, (name) =>
        graph.store(name),
      )
      if (found !== undefined) return found
    }
    return undefined
  }

  /** The connectors have read the WAL up to there, and the views all that the log held then. */
  async reached(version: bigint, signal: AbortSignal): Promise<boolean> {
    const { parts, log } = this.#asked
    const readers = [...(parts.views === undefined ? [] : [parts.views]), ...this.#streams]
    let goal: LogInfo | undefined
    while (!signal.aborted) {
      if (goal === undefined && this.#connectorsAreAt(version)) {
        if (log instanceof EmbeddedLog) await log.settled()
        goal = await log.describe()
      }
      const then = goal
      if (then && readers.every((part) => part.progress.lag(then, part.topics).records === 0)) {
        return true
      }
      await sleep(5)
    }
    return false
  }

  get #streams(): readonly StreamPart[] {
    return this.#asked.parts.streams ?? []
  }

  #connectorsAreAt(version: bigint): boolean {
    const { log, parts } = this.#asked
    if (!(log instanceof EmbeddedLog)) return false
    return parts.connectors.every(({ name }) => {
      const { positions } = log.environment
      const stored = getJson<{ position: Position }>(positions, `${parts.pipeline}.${name}`)
      if (stored === undefined) return false
      const position = decodePosition(stored.position)
      return position.snapshot === undefined && acknowledged(position) >= version
    })
  }

  #graph(part: StreamPart): FlowGraph | undefined {
    const state = this.#state(part)
    return (
      state &&
      new FlowGraph(part.topology, state, { emission: 'perCommit', write: () => {}, cacheBytes: 0 })
    )
  }

  /** A view of the durable state; what is written to it goes nowhere. */
  #state({ group }: ViewsPart): State | undefined {
    const { log } = this.#asked
    if (!(log instanceof EmbeddedLog)) return undefined
    const id = getJson<number>(log.environment.meta, `task/${group}`)
    return id === undefined ? undefined : new State(new StagedStore(log.environment.state, id))
  }
}

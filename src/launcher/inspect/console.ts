import type { Holder, Routed, StoreOf } from '../../console/holder.ts'
import { type Serving, type Subject, serveConsole } from '../../console/server.ts'
import type { Log } from '../../core/log.ts'
import type { Queryable } from '../../core/queryable.ts'
import { FlowGraph } from '../../streams/flow-graph.ts'
import { MemoryStore } from '../../streams/memory-store.ts'
import { answerRoute } from '../../streams/routes.ts'
import { State } from '../../streams/state.ts'
import type { StreamTopology } from '../../streams/stream-topology.ts'
import type { Topology } from '../../streams/topology.ts'
import { readableView } from '../../streams/view-reader.ts'
import type { Parts, StreamPart } from '../run/pipeline.ts'
import { isTable } from '../run/views.ts'
import { showMetrics } from './metrics.ts'
import { holderOf } from './state-holder.ts'
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
    const stores = this.#streams.flatMap(({ topology }) => storesOf(topology))
    const views = this.#asked.topology.views.map(({ name }) => name)
    return { stores, views: views.filter((name) => !isTable(name)) }
  }

  holder(kind: 'stores' | 'views', name: string): Holder<Queryable> | undefined {
    const { parts, topology } = this.#asked
    if (kind === 'stores') {
      const part = this.#streams.find((each) => storesOf(each.topology).includes(name))
      if (part === undefined) return undefined
      return holderOf(this.#asked, part, (state) => graphOf(part.topology, state).store(name)!)
    }
    const isView = topology.views.some((view) => view.name === name)
    if (!isView || parts.views === undefined) return undefined
    return holderOf(this.#asked, parts.views, (state) => readableView(state, name))
  }

  route(path: string): Routed | undefined {
    const part = this.#streams.find(({ name }) => path.startsWith(`/${name}/`))
    const routes = part?.topology.options.routes
    if (part === undefined || routes === undefined) return undefined
    const rest = path.slice(part.name.length + 1)
    const holder = holderOf(this.#asked, part, (state): StoreOf => {
      const graph = graphOf(part.topology, state)
      return (name) => graph.store(name)
    })
    return { holder, run: (store) => answerRoute(routes, rest, store) }
  }

  get #streams(): readonly StreamPart[] {
    return this.#asked.parts.streams ?? []
  }
}

/** The topology on a state, to be looked at only. */
function graphOf(topology: StreamTopology, state: State): FlowGraph {
  return new FlowGraph(topology, state, {
    ...{ emission: 'perCommit', write: () => {}, readsChanges: true },
  })
}

/** Names of the stores that a topology has, whatever is in them. */
function storesOf(topology: StreamTopology): readonly string[] {
  return [...graphOf(topology, new State(new MemoryStore(), 0)).stores.keys()]
}

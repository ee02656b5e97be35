import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import type { Schema } from '../core/schema.ts'
import { Graph } from './graph.ts'
import { KTable } from './ktable.ts'
import type { Node } from './node.ts'
import type { State } from './state.ts'
import type { Step } from './step.ts'
import { Table } from './table.ts'
import type { ViewDefinition } from './view.ts'
import { ViewOutput } from './view-output.ts'

/** A view in a topology. */
export interface ViewPlan {
  readonly name: string
  readonly topic: string
  readonly step: Step
}

interface StepPlan {
  readonly step: Step
  /** The view that it was first defined for. */
  readonly view: string
  /** Names its state, and nothing else. */
  readonly stateName: string
}

/** All views of a pipeline as one graph: tables first, each step after those that it reads. */
export class Topology {
  readonly pipeline: string
  readonly #definitions: Readonly<Record<string, ViewDefinition>>
  readonly #tables = new Map<string, Step>()
  readonly #views = new Map<string, ViewPlan>()
  readonly #steps = new Map<Step, StepPlan>()
  readonly #underway = new Set<string>()

  constructor(pipeline: string, definitions: Readonly<Record<string, ViewDefinition>>) {
    this.pipeline = pipeline
    this.#definitions = definitions
    for (const name of Object.keys(definitions)) this.#view(name)
  }

  /** The topics to read. */
  get topics(): readonly string[] {
    return [...this.#tables.keys()]
  }

  get views(): readonly ViewPlan[] {
    return [...this.#views.values()]
  }

  /** Changes with the names, the operators and the texts of their functions. */
  get hash(): string {
    const places = new Map([...this.#steps.keys()].map((step, place) => [step, place]))
    const steps = [...this.#steps.values()].map(({ step, stateName }) => {
      return [stateName, step.definition, step.parents.map((parent) => places.get(parent))]
    })
    const views = this.views.map(({ name, step }) => [name, places.get(step)])
    return createHash('sha256').update(JSON.stringify({ steps, views })).digest('hex')
  }

  /** The states that outlive a change of the definitions. */
  get keptStates(): ReadonlySet<string> {
    return new Set(this.views.map(({ name }) => documentsOf(name)))
  }

  open(state: State, options: GraphOptions): Graph {
    const nodes = new Map<Step, Node>()
    const tables = new Map<string, Table>()
    for (const [topic, step] of this.#tables) {
      const table = new Table(topic, state, (schema) => options.onSchema?.(topic, schema))
      tables.set(topic, table)
      nodes.set(step, table)
    }
    for (const plan of this.#steps.values()) {
      if (!nodes.has(plan.step)) nodes.set(plan.step, openStep(plan, nodes, state))
    }
    const views = this.views.map((plan) =>
      this.#output(plan, nodes.get(plan.step)!, state, options),
    )
    return new Graph(tables, [...nodes.values()], views)
  }

  #output({ name, topic, step }: ViewPlan, node: Node, state: State, options: GraphOptions) {
    const documents = state.space(documentsOf(name))
    const pending = state.space(pendingOf(documentsOf(name)))
    const origin = { release: options.release, pipeline: this.pipeline, view: name }
    const place = { view: name, topic: rootTopic(step), step: 'its result' }
    return new ViewOutput({ topic, node, state, documents, pending, origin, place })
  }

  #view(name: string): ViewPlan {
    const known = this.#views.get(name)
    if (known !== undefined) return known
    const definition = this.#definitions[name]
    if (definition === undefined) throw this.#unknown(name)
    if (this.#underway.has(name)) {
      const around = [...this.#underway, name].join(' → ')
      throw new MillraceError('CONFIG_INVALID', `Views read each other in a circle: ${around}.`)
    }
    this.#underway.add(name)
    const { step } = this.#define(name, definition)
    this.#addSteps(step, name)
    const plan = { name, topic: viewTopic(this.pipeline, name), step }
    this.#views.set(name, plan)
    this.#underway.delete(name)
    return plan
  }

  #define(name: string, { define }: ViewDefinition): KTable<object> {
    const view = <V, K>(other: string) => new KTable<V, K>(this.#view(other).step)
    const own = new Map(
      Object.keys(this.#definitions).map((other) => [viewTopic(this.pipeline, other), other]),
    )
    const table = <V, K>(topic: string): KTable<V, K> => {
      const viewName = own.get(topic)
      return viewName === undefined ? new KTable<V, K>(this.#table(topic)) : view<V, K>(viewName)
    }
    try {
      return define({ table, view })
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause
      throw new MillraceError('CONFIG_INVALID', `View ${name} cannot be defined: ${cause}.`, {
        cause,
      })
    }
  }

  #table(topic: string): Step {
    let step = this.#tables.get(topic)
    if (step === undefined) {
      step = { name: topic, parents: [], definition: 'table', open: notOpened }
      this.#tables.set(topic, step)
    }
    return step
  }

  /** Parents first. Steps that came about in the same way are told apart by a number. */
  #addSteps(step: Step, view: string): void {
    if (this.#steps.has(step)) return
    for (const parent of step.parents) this.#addSteps(parent, view)
    const isTable = step.parents.length === 0
    const name = isTable ? step.name : `${view}: ${step.name}`
    const taken = new Set([...this.#steps.values()].map(({ stateName }) => stateName))
    let stateName = name
    for (let i = 2; taken.has(stateName); i++) stateName = `${name}#${i}`
    this.#steps.set(step, { step, view, stateName })
  }

  #unknown(name: string): MillraceError {
    const names = Object.keys(this.#definitions).join(', ')
    return new MillraceError('CONFIG_INVALID', `There is no view ${name}; there are: ${names}.`)
  }
}

export interface GraphOptions {
  /** The version of the program, named in envelopes. */
  readonly release: string
  /** Hears of the columns that rows of a topic have, whenever they are others than before. */
  readonly onSchema?: ((topic: string, schema: Schema) => void) | undefined
}

function openStep(plan: StepPlan, nodes: ReadonlyMap<Step, Node>, state: State): Node {
  const { step, view, stateName } = plan
  const place = { view, topic: rootTopic(step), step: step.name }
  const parents = step.parents.map((parent) => nodes.get(parent)!)
  return step.open(parents, {
    place,
    pairs: () => state.pairs(stateName),
    ordered: (part) => state.ordered(`${stateName}/${part}`),
  })
}

/** `<pipeline>.<view>`; a view that only completes a table, whose name has a dot, is internal. */
function viewTopic(pipeline: string, view: string): string {
  return view.includes('.') ? `__millrace.${pipeline}.${view}` : `${pipeline}.${view}`
}

/** Names the state in which a view's documents are. */
export function documentsOf(view: string): string {
  return `${view}: documents`
}

/** Names the state in which the keys of documents are that have yet to be told. */
export function pendingOf(documents: string): string {
  return documents.replace(/documents$/, 'pending')
}

/** Whether a state holds what was told of documents, be it of a view that is no more. */
export function holdsDocuments(state: string): boolean {
  return state.endsWith(documentsOf(''))
}

/** The topic whose keys the step's rows have. */
function rootTopic(step: Step): string {
  const [parent] = step.parents
  return parent === undefined ? step.name : rootTopic(parent)
}

function notOpened(): never {
  throw new Error('a table is opened by its topology')
}

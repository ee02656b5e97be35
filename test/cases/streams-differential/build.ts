import type { Json } from '../../../src/core/json.ts'
import type { GlobalKTable } from '../../../src/streams/global-ktable.ts'
import type { KGroupedStream } from '../../../src/streams/kgrouped-stream.ts'
import type { KGroupedTable } from '../../../src/streams/kgrouped-table.ts'
import { KStream } from '../../../src/streams/kstream.ts'
import { KTable } from '../../../src/streams/ktable.ts'
import type { StreamScope } from '../../../src/streams/stream-topology.ts'
import { CaseFault } from '../difference.ts'
import { buildAggregate } from './build-aggregate.ts'
import { buildJoin } from './build-join.ts'
import type { CaseStep } from './case.ts'
import { compile, type Values } from './expression.ts'

export type AnyStream = KStream<Json, Json>
/** Rows are never null. */
export type Value = Exclude<Json, null>
export type AnyTable = KTable<Value, Json>
export type Built =
  | AnyStream
  | AnyTable
  | GlobalKTable<Value, Value>
  | KGroupedStream<Json, Json>
  | KGroupedTable<Json, Json>

/** The fields of a step; those that nobody asked for are not understood. */
export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #asked = new Set<string>()
  readonly #built: ReadonlyMap<string, Built>
  readonly #windowed: ReadonlySet<Built>

  constructor(step: CaseStep, built: ReadonlyMap<string, Built>, windowed: ReadonlySet<Built>) {
    this.#fields = step.fields
    this.#built = built
    this.#windowed = windowed
  }

  get(name: string): unknown {
    this.#asked.add(name)
    return this.#fields[name]
  }

  text(name: string): string {
    const value = this.get(name)
    if (typeof value !== 'string') throw new CaseFault(`the step has no ${name}`)
    return value
  }

  number(name: string): number {
    const value = this.get(name)
    if (typeof value !== 'number') throw new CaseFault(`the step has no ${name}`)
    return value
  }

  /** The step that a field names. */
  step(name: string): Built {
    const id = this.text(name)
    const found = this.#built.get(id)
    if (found === undefined) throw new CaseFault(`there is no step ${id}`)
    return found
  }

  stream(name: string): AnyStream {
    const found = this.step(name)
    if (!(found instanceof KStream)) throw new CaseFault(`${this.text(name)} is no stream`)
    return found
  }

  /** A stream by its id. */
  named(id: string): AnyStream {
    const found = this.#built.get(id)
    if (!(found instanceof KStream)) throw new CaseFault(`there is no stream ${id}`)
    return found
  }

  table(name: string): AnyTable {
    const found = this.step(name)
    if (!(found instanceof KTable)) throw new CaseFault(`${this.text(name)} is no table`)
    return found
  }

  stored(): { readonly store?: string } {
    const store = this.get('store')
    return store === undefined ? {} : { store: String(store) }
  }

  expression(name: string): (values: Values) => Json {
    return compile(this.get(name))
  }

  /** Says what stands in a row's key: of a window, the key without it. */
  keyed(step: Built): (key: Json) => Values {
    if (!this.#windowed.has(step)) return (key) => ({ key })
    return (windowed) => {
      const { key, start, end } = windowed as { key: Json; start: number; end: number }
      return { key, wstart: start, wend: end }
    }
  }

  isWindowed(step: Built): boolean {
    return this.#windowed.has(step)
  }

  checkAllAsked(): void {
    const left = Object.keys(this.#fields).filter((name) => !this.#asked.has(name))
    if (left.length > 0) throw new CaseFault(`the fields ${left.join(', ')} are not understood`)
  }
}

/** Builds a case's topology with the operators that users have. */
export function build(steps: readonly CaseStep[], scope: StreamScope): void {
  const built = new Map<string, Built>()
  const windowed = new Set<Built>()
  for (const step of steps) {
    const fields = new Fields(step, built, windowed)
    const made = buildStep(step, fields, scope)
    for (const [id, one] of Object.entries(made)) {
      built.set(id, one)
      if (staysWindowed(step, fields)) windowed.add(one)
    }
    fields.checkAllAsked()
  }
}

function staysWindowed({ op }: CaseStep, fields: Fields): boolean {
  if (fields.get('window') !== undefined) return true
  const keeps = ['filter', 'filterNot', 'mapValues', 'suppress'].includes(op)
  return keeps && fields.isWindowed(fields.step('in'))
}

function buildStep(step: CaseStep, fields: Fields, scope: StreamScope) {
  const make = makers[step.op]
  if (make === undefined) throw new CaseFault(`the step ${step.op} is not understood`)
  const made = make(fields, scope)
  if (made === undefined) return {}
  if (isBranches(made)) return made
  if (step.id === undefined) throw new CaseFault(`a step ${step.op} has no id`)
  return { [step.id]: made }
}

type Branches = Readonly<Record<string, AnyStream>>
type Maker = (fields: Fields, scope: StreamScope) => Built | Branches | undefined

function isBranches(made: Built | Branches): made is Branches {
  return Object.getPrototypeOf(made) === Object.prototype
}

const makers: Readonly<Record<string, Maker>> = {
  stream: (fields, scope) => scope.stream<Json>(fields.text('topic')),
  table: (fields, scope) => scope.table<Value>(fields.text('topic'), fields.stored()),
  globalTable: (fields, scope) =>
    scope.globalTable<Value, Value>(fields.text('topic'), fields.stored()),
  filter: (fields) => filter('filter', fields),
  filterNot: (fields) => filter('filterNot', fields),
  map: (fields) => {
    const [key, value] = [fields.expression('key'), fields.expression('value')]
    return fields.stream('in').map((v, k) => {
      const values = { key: k, value: v }
      return [key(values), value(values)] as const
    })
  },
  selectKey: (fields) => {
    const key = fields.expression('key')
    return fields.stream('in').selectKey((v, k) => key({ key: k, value: v }))
  },
  mapValues: (fields) => {
    const parent = fields.step('in')
    const [map, keyed] = [fields.expression('value'), fields.keyed(parent)]
    const call = (value: Json, key: Json) => map({ ...keyed(key), value })
    if (parent instanceof KStream) return parent.mapValues(call)
    return fields.table('in').mapValues(call, fields.stored())
  },
  flatMapValues: (fields) => {
    const values = fields.expression('values')
    return fields.stream('in').flatMapValues((value, key) => {
      const list = values({ key, value })
      if (!Array.isArray(list)) throw new CaseFault('flatMapValues gives no array')
      return list as readonly Json[]
    })
  },
  branch: (fields) => {
    const cases = fields.get('cases') as readonly { readonly id: string; readonly when: unknown }[]
    const otherwise = fields.get('default')
    const branches = Object.fromEntries(
      cases.map(({ id, when }) => {
        const passes = compile(when)
        return [id, (value: Json, key: Json) => passes({ key, value }) === true] as const
      }),
    )
    return fields
      .stream('in')
      .split(branches, otherwise === undefined ? undefined : String(otherwise))
  },
  merge: (fields) => mergeAll(fields),
  to: (fields) => {
    fields.stream('in').to(fields.text('topic'))
    return undefined
  },
  toTable: (fields) => fields.stream('in').toTable(fields.stored()) as AnyTable,
  toStream: (fields) => {
    const table = fields.table('in')
    const stream = table.toStream()
    if (!fields.isWindowed(table)) return stream
    return stream.selectKey((_value, key) => windowText(key))
  },
  groupByKey: (fields) => fields.stream('in').groupByKey(),
  groupBy: (fields) => groupBy(fields),
  count: (fields) => buildAggregate('count', fields),
  reduce: (fields) => buildAggregate('reduce', fields),
  aggregate: (fields) => buildAggregate('aggregate', fields),
  suppress: (fields) => {
    const until = fields.text('until')
    if (until === 'windowCloses') return fields.table('in').suppressUntilClose()
    if (until === 'timeLimit') return fields.table('in').suppress(fields.number('ms'))
    throw new CaseFault(`suppress until ${until} is not understood`)
  },
  join: (fields) => buildJoin(fields),
}

function filter(kind: 'filter' | 'filterNot', fields: Fields): Built {
  const parent = fields.step('in')
  const [when, keyed] = [fields.expression('when'), fields.keyed(parent)]
  const passes = (value: Json, key: Json) => when({ ...keyed(key), value }) === true
  if (parent instanceof KStream) return parent[kind](passes)
  return fields.table('in')[kind](passes, fields.stored())
}

function mergeAll(fields: Fields): Built {
  const ids = fields.get('in') as readonly string[]
  const [first, ...others] = ids.map((id) => fields.named(id))
  return others.reduce((all, one) => all.merge(one), first!)
}

function groupBy(fields: Fields): Built {
  const parent = fields.step('in')
  const [key, keyed] = [fields.expression('key'), fields.keyed(parent)]
  if (parent instanceof KStream) return parent.groupBy((v, k) => key({ key: k, value: v }))
  const value = fields.expression('value')
  return fields.table('in').groupBy((row, rowKey) => {
    const values = { ...keyed(rowKey), value: row }
    return [key(values), value(values)] as const
  })
}

/** How a windowed key leaves a table in these cases. */
export function windowText(windowed: Json): string {
  const { key, start, end } = windowed as { key: Json; start: number; end: number }
  return `${key}@${start}/${end}`
}

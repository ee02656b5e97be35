import { createHash } from 'node:crypto'
import type { Row } from '../core/json.ts'
import { keepRows } from './filter.ts'
import { ForeignKeyJoin, type JoinFunctions } from './foreign-key-join.ts'
import type { KeyValue, Scalar } from './key.ts'
import { MappedTable, type RowMap } from './map-values.ts'
import { Nest, type NestFunctions } from './nest.ts'
import type { Step } from './step.ts'

/** How two tables belong together by a foreign key of the left one, and what becomes of a pair. */
export interface Joining<L, R, Out> {
  /**
   * The key of the right row that a left row points at: its value, or for a key of several columns
   * an object of them. `null` points at nothing.
   */
  readonly on: (left: L) => KeyValue | null | undefined
  readonly select: (left: L, right: R) => Out | null | undefined
}

/** How children belong to a parent by a foreign key of theirs. */
export interface Nesting<C> {
  /** The key of the parent that a child points at. `null` points at nothing. */
  readonly on: (child: C) => KeyValue | null | undefined
  /** Children are in the order of this value, then of their keys. */
  readonly orderBy?: (child: C) => Scalar | null | undefined
}

/**
 * A table that changes, described: which topic it is, or how it comes about from other tables. Its
 * functions must depend on their arguments alone, and must not change them: a result is worked out
 * again whenever somebody needs it.
 */
export class KTable<V extends object> {
  readonly step: Step
  /** Names the rows' type; there are no rows here. */
  declare readonly rows: V

  constructor(step: Step) {
    this.step = step
  }

  /** Keeps the rows that pass. */
  filter(passes: (row: V) => boolean): KTable<V> {
    const keep = keepRows(untyped<(row: Row) => boolean>(passes))
    return this.#derive<V>('filter', [], [passes], ([parent], { place }) => {
      return new MappedTable(parent!, keep, place)
    })
  }

  /** Makes another row of each; `null` leaves it out. */
  mapValues<Out extends object>(map: (row: V) => Out | null | undefined): KTable<Out> {
    return this.#derive<Out>('mapValues', [], [map], ([parent], { place }) => {
      return new MappedTable(parent!, untyped<RowMap>(map), place)
    })
  }

  /** Each row with the one row of `other` it points at; rows that point at nothing are left out. */
  join<R extends object, Out extends object>(
    other: KTable<R>,
    { on, select }: Joining<V, R, Out>,
  ): KTable<Out> {
    return this.#join('join', other, { on: untyped(on), select: untyped(select) })
  }

  /** Each row with the one row of `other` it points at, or `null`. */
  leftJoin<R extends object, Out extends object>(
    other: KTable<R>,
    { on, select }: Joining<V, R | null, Out>,
  ): KTable<Out> {
    return this.#join('leftJoin', other, { on: untyped(on), select: untyped(select) })
  }

  /** Each row with the list of rows of `children` that point at it, as a column named `as`. */
  nest<C extends object, As extends string>(
    children: KTable<C>,
    nesting: Nesting<C> & { readonly as: As },
  ): KTable<Omit<V, As> & { readonly [name in As]: readonly C[] }>
  /** Each row and the list of rows of `children` that point at it, made into one by `select`. */
  nest<C extends object, Out extends object>(
    children: KTable<C>,
    nesting: Nesting<C> & {
      readonly select: (parent: V, children: readonly C[]) => Out | null | undefined
    },
  ): KTable<Out>
  nest<C extends object>(
    children: KTable<C>,
    { on, orderBy, as, select }: Nesting<C> & { readonly as?: string; readonly select?: UserCode },
  ): KTable<object> {
    const functions = {
      on: untyped<NestFunctions['on']>(on),
      orderBy: orderBy && untyped<NestFunctions['orderBy']>(orderBy),
      select: select ? untyped<NestFunctions['select']>(select) : nestAs(as!),
    }
    const told = [on, orderBy ?? 'by key', select ?? as!]
    return this.#derive(`nest`, [children.step], told, ([parent, child], { place, pairs }) => {
      return new Nest({ parent: parent!, child: child! }, functions, pairs(), place)
    })
  }

  #join<Out extends object>(
    kind: 'join' | 'leftJoin',
    other: KTable<object>,
    { on, select }: Pick<JoinFunctions, 'on' | 'select'>,
  ): KTable<Out> {
    const functions = { on, select, isLeft: kind === 'leftJoin' }
    return this.#derive(kind, [other.step], [on, select], ([left, right], { place, pairs }) => {
      return new ForeignKeyJoin({ left: left!, right: right! }, functions, pairs(), place)
    })
  }

  /** State is kept under the name, so it says how the table came about, and nothing else. */
  #derive<Out extends object>(
    kind: string,
    others: readonly Step[],
    told: readonly (string | UserCode)[],
    open: Step['open'],
  ): KTable<Out> {
    const argument = others.map(({ name }) => name).join()
    return new KTable<Out>({
      name: `${this.step.name}.${kind}(${argument})`,
      parents: [this.step, ...others],
      definition: createHash('sha256').update(told.map(String).join('\0')).digest('hex'),
      open,
    })
  }
}

type UserCode = (...rows: never[]) => unknown

/** Rows are JSON, and what the user says of their columns cannot be checked: here types end. */
function untyped<F>(code: UserCode): F {
  return code as unknown as F
}

function nestAs(name: string): NestFunctions['select'] {
  return (parent, children) => ({ ...parent, [name]: children })
}

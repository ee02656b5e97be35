import { MillraceError } from '../core/errors.ts'
import type { Json, Row } from '../core/json.ts'
import { deriveStep } from './derive-step.ts'
import { keepRows } from './filter.ts'
import { joinByForeignKey } from './flow/foreign-key-flow.ts'
import { tableOf } from './flow/kinds.ts'
import { nestRows } from './flow/nest-flow.ts'
import { type SuppressBounds, suppress } from './flow/suppress.ts'
import { type JoinType, joinTables } from './flow/table-join.ts'
import { mapTable } from './flow/table-map.ts'
import { streamOfTable } from './flow/table-stream.ts'
import { type UserCode, untyped, userCode } from './flow/user-code.ts'
import { ForeignKeyJoin, type JoinFunctions } from './foreign-key-join.ts'
import type { KeyValue, Scalar } from './key.ts'
import { KeyJoin, type KeyJoinFunctions } from './key-join.ts'
import { KGroupedTable } from './kgrouped-table.ts'
import { KStream } from './kstream.ts'
import { MappedTable, type RowMap } from './map-values.ts'
import { Nest, type NestFunctions } from './nest.ts'
import type { Step } from './step.ts'
import { openAfterEndMs, type Windows } from './windows.ts'

/** How two tables belong together by a foreign key of the left one, and what becomes of a pair. */
export interface Joining<L, R, Out> extends Stored {
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

/** A table that is kept under a name, so that it can be read. */
export interface Stored {
  readonly store?: string | undefined
}

type Select<L, R, K, Out> = (left: L, right: R, key: K) => Out | null | undefined

/**
 * A table that changes, described: which topic it is, or how it comes about from other tables. Its
 * functions must depend on their arguments alone, and must not change them: a result is worked out
 * again whenever somebody needs it.
 */
export class KTable<V, K = Json> {
  readonly step: Step
  /** Name the types; there are no rows here. */
  declare readonly rows: V
  declare readonly keys: K

  /** Of a table of windows: how long they stay open. */
  readonly #windows: Windows | undefined

  constructor(step: Step, windows?: Windows) {
    this.step = step
    this.#windows = windows
  }

  /** Keeps the rows that pass. */
  filter(passes: (row: V, key: K) => boolean, { store }: Stored = {}): KTable<V, K> {
    const keep = keepRows(untyped<(row: Row) => boolean>(passes))
    return this.#map<V>('filter', keep, { code: passes, store })
  }

  /** Keeps the rows that do not pass. */
  filterNot(fails: (row: V, key: K) => boolean, { store }: Stored = {}): KTable<V, K> {
    const fail = untyped<(row: Row, key: Json) => boolean>(fails)
    const keep = keepRows((row, key) => !fail(row, key))
    return this.#map<V>('filterNot', keep, { code: fails, store })
  }

  /** Makes another row of each; `null` leaves it out. */
  mapValues<Out>(
    map: (row: V, key: K) => Out | null | undefined,
    { store }: Stored = {},
  ): KTable<Out, K> {
    return this.#map<Out>('mapValues', untyped<RowMap>(map), { code: map, store })
  }

  /** Each row with the row of `other` that has the same key, or that it points at. */
  join<R, Out>(other: KTable<R, K>, select: Select<V, R, K, Out>, stored?: Stored): KTable<Out, K>
  join<R, Out>(other: KTable<R, unknown>, joining: Joining<V, R, Out>): KTable<Out, K>
  join(other: Table, how: HowToJoin, stored: Stored = {}): KTable<unknown, K> {
    return typeof how === 'function'
      ? this.#joinByKey('inner', other, how, stored)
      : this.#joinByForeignKey('join', other, how)
  }

  /** The same, with null where there is no such row. */
  leftJoin<R, Out>(
    other: KTable<R, K>,
    select: Select<V, R | null, K, Out>,
    stored?: Stored,
  ): KTable<Out, K>
  leftJoin<R, Out>(other: KTable<R, unknown>, joining: Joining<V, R | null, Out>): KTable<Out, K>
  leftJoin(other: Table, how: HowToJoin, stored: Stored = {}): KTable<unknown, K> {
    return typeof how === 'function'
      ? this.#joinByKey('left', other, how, stored)
      : this.#joinByForeignKey('leftJoin', other, how)
  }

  /** The rows of both tables, with null where the other has no row with the same key. */
  outerJoin<R, Out>(
    other: KTable<R, K>,
    select: Select<V | null, R | null, K, Out>,
    stored: Stored = {},
  ): KTable<Out, K> {
    return this.#joinByKey('outer', other, select, stored)
  }

  /** The table by groups: of each row the group's key and what goes into the aggregate. */
  groupBy<GK, GV = V>(
    regroup: (row: V, key: K) => readonly [key: GK | null, value: GV | null] | null,
  ): KGroupedTable<GV, GK> {
    return new KGroupedTable(this.step, regroup)
  }

  /** The table's updates as a stream; a delete is a null value. */
  toStream(): KStream<V | null, K> {
    const flow: Step['flow'] = ([parent], context) => streamOfTable(tableOf(parent), context)
    return new KStream(deriveStep(this.step, { kind: 'toStream', flow }))
  }

  /** Tells of each key at most one update in so much time: the last one. */
  suppress(limitMs: number, bounds: SuppressBounds = {}): KTable<V, K> {
    return new KTable(
      deriveStep(this.step, {
        kind: 'suppress',
        told: [limitMs, bounds],
        flow: ([parent], context) =>
          suppress(tableOf(parent), context, { ...bounds, until: 'timeLimit', limitMs }),
      }),
    )
  }

  /** Of a table of windows: tells each once, when it can no longer change. */
  suppressUntilClose(bounds: SuppressBounds = {}): KTable<V, K> {
    const windows = this.#windows
    if (windows === undefined) {
      const message = `${this.step.name} has no windows that close; suppress(limitMs) needs none.`
      throw new MillraceError('CONFIG_INVALID', message)
    }
    const afterEndMs = openAfterEndMs(windows)
    return new KTable(
      deriveStep(this.step, {
        ...{ kind: 'suppressUntilClose', told: [bounds, afterEndMs] },
        flow: ([parent], context) =>
          suppress(tableOf(parent), context, {
            ...{ ...bounds, until: 'windowCloses', openAfterEndMs: afterEndMs },
          }),
      }),
    )
  }

  /** Each row with the list of rows of `children` that point at it, as a column named `as`. */
  nest<C, As extends string>(
    children: KTable<C, unknown>,
    nesting: Nesting<C> & { readonly as: As },
  ): KTable<Omit<V, As> & { readonly [name in As]: readonly C[] }, K>
  /** Each row and the list of rows of `children` that point at it, made into one by `select`. */
  nest<C, Out>(
    children: KTable<C, unknown>,
    nesting: Nesting<C> & {
      readonly select: (parent: V, children: readonly C[]) => Out | null | undefined
    },
  ): KTable<Out, K>
  nest<C>(
    children: KTable<C, unknown>,
    { on, orderBy, as, select }: Nesting<C> & { readonly as?: string; readonly select?: UserCode },
  ): KTable<unknown, K> {
    const functions = {
      on: untyped<NestFunctions['on']>(on),
      orderBy: orderBy && untyped<NestFunctions['orderBy']>(orderBy),
      select: select ? untyped<NestFunctions['select']>(select) : nestAs(as!),
    }
    return new KTable(
      deriveStep(this.step, {
        ...{ kind: 'nest', others: [children.step], told: [on, orderBy ?? 'by key', select ?? as] },
        open: ([parent, child], { place, pairs }) =>
          new Nest({ parent: parent!, child: child! }, functions, pairs(), place),
        flow: ([parent, child], context) =>
          nestRows(tableOf(parent), tableOf(child), context, {
            on: userCode(on, context.place),
            select: userCode(select ?? untyped(functions.select), context.place),
            orderBy: orderBy && userCode(orderBy, context.place),
          }),
      }),
    )
  }

  #map<Out>(
    kind: 'filter' | 'filterNot' | 'mapValues',
    map: RowMap,
    { code, store }: Stored & { readonly code: UserCode },
  ): KTable<Out, K> {
    const isFilter = kind !== 'mapValues'
    const isStored = store !== undefined
    return new KTable(
      deriveStep(this.step, {
        ...{ kind, told: [code], store },
        open: ([parent], { place }) => new MappedTable(parent!, map, place, code.length > 1),
        flow: ([parent], context) => {
          const call = userCode<readonly [Json, Json], Json>(map, context.place)
          return mapTable(tableOf(parent), context, { map: call, isFilter }, isStored)
        },
      }),
      this.#windows,
    )
  }

  #joinByForeignKey<Out>(
    kind: 'join' | 'leftJoin',
    { step: other }: Table,
    { on, select, store }: Joining<never, never, unknown>,
  ): KTable<Out, K> {
    const isLeft = kind === 'leftJoin'
    const functions = {
      on: untyped<JoinFunctions['on']>(on),
      ...{ select: untyped<JoinFunctions['select']>(select), isLeft },
    }
    return new KTable(
      deriveStep(this.step, {
        ...{ kind, others: [other], told: [on, select], store },
        open: ([left, right], { place, pairs }) =>
          new ForeignKeyJoin({ left: left!, right: right! }, functions, pairs(), place),
        flow: ([left, right], context) =>
          joinByForeignKey(tableOf(left), tableOf(right), context, {
            on: userCode(on, context.place),
            select: userCode(select, context.place),
            ...{ isLeft, isStored: store !== undefined },
          }),
      }),
    )
  }

  #joinByKey<Out>(
    type: JoinType,
    { step: other }: Table,
    select: UserCode,
    { store }: Stored,
  ): KTable<Out, K> {
    const functions = { type, select: untyped<KeyJoinFunctions['select']>(select) }
    return new KTable(
      deriveStep(this.step, {
        ...{ kind: `${type}JoinByKey`, others: [other], told: [select], store },
        open: ([left, right], { place }) =>
          new KeyJoin({ left: left!, right: right! }, functions, place),
        flow: ([left, right], context) =>
          joinTables(tableOf(left), tableOf(right), context, {
            select: userCode(select, context.place),
            ...{ type, isStored: store !== undefined },
          }),
      }),
    )
  }
}

type Table = { readonly step: Step }
type HowToJoin = UserCode | Joining<never, never, unknown>

function nestAs(name: string): NestFunctions['select'] {
  return (parent, children) => ({ ...parent, [name]: children })
}

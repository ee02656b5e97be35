import { MillraceError } from '../core/errors.ts'
import type { Json } from '../core/json.ts'
import { deriveStep } from './derive-step.ts'
import type { FlowRecord } from './flow/flow.ts'
import { streamOf, tableOf } from './flow/kinds.ts'
import { joinStreams } from './flow/stream-join.ts'
import { type ProcessorCode, processStream } from './flow/stream-process.ts'
import { repartitionStream } from './flow/stream-repartition.ts'
import { tableOfStream } from './flow/stream-table.ts'
import { joinStreamWithTable } from './flow/stream-table-join.ts'
import { mergeStreams, transformStream } from './flow/stream-transform.ts'
import type { JoinType } from './flow/table-join.ts'
import { type UserCode, userCode } from './flow/user-code.ts'
import { versionedTable } from './flow/versioned-table.ts'
import type { GlobalKTable } from './global-ktable.ts'
import { KGroupedStream } from './kgrouped-stream.ts'
import { KTable, type Stored } from './ktable.ts'
import type { Processor } from './processor.ts'
import type { Step } from './step.ts'

/** How far apart in time two records may be that belong together. */
export interface JoinWindows {
  /** A right record may be so much older than the left one. */
  readonly beforeMs: number
  /** A right record may be so much younger than the left one. */
  readonly afterMs: number
  /** How long after its time has passed an unmatched record waits for late ones. */
  readonly graceMs?: number
  /** `atOnce` tells an unmatched record when it comes, and again with each match. */
  readonly unmatched?: 'whenClosed' | 'atOnce'
}

export interface TableStoring extends Stored {
  /** Makes the table versioned: it knows what its rows were, for so long. */
  readonly historyMs?: number
}

type Pair<V, K> = readonly [key: K, value: V]

/**
 * A stream of records, described. Its functions must depend on their arguments alone. Unless a
 * function says otherwise, null keys and null values are records like others.
 */
export class KStream<V, K = Json> {
  readonly step: Step
  /** Whether keys may have changed, so that a key's records must be brought together again. */
  readonly isRekeyed: boolean
  /** Name the types; there are no records here. */
  declare readonly values: V
  declare readonly keys: K

  constructor(step: Step, isRekeyed = false) {
    this.step = step
    this.isRekeyed = isRekeyed
  }

  filter(passes: (value: V, key: K) => boolean): KStream<V, K> {
    return this.#transform('filter', passes, (call: Call<boolean>) => (record, forward) => {
      if (call(record.value, record.key)) forward(record)
    })
  }

  filterNot(fails: (value: V, key: K) => boolean): KStream<V, K> {
    return this.#transform('filterNot', fails, (call: Call<boolean>) => (record, forward) => {
      if (!call(record.value, record.key)) forward(record)
    })
  }

  map<V2, K2>(map: (value: V, key: K) => Pair<V2, K2>): KStream<V2, K2> {
    const derived = this.#transform('map', map, (call: Call<Pair<Json, Json>>) => {
      return ({ key, value, timestamp }, forward) => {
        const [newKey, newValue] = call(value, key)
        forward({ key: newKey ?? null, value: newValue ?? null, timestamp })
      }
    })
    return new KStream(derived.step, true)
  }

  mapValues<V2>(map: (value: V, key: K) => V2): KStream<V2, K> {
    return this.#transform('mapValues', map, (call: Call<Json>) => (record, forward) => {
      forward({ ...record, value: call(record.value, record.key) ?? null })
    })
  }

  flatMap<V2, K2>(map: (value: V, key: K) => Iterable<Pair<V2, K2>>): KStream<V2, K2> {
    const derived = this.#transform('flatMap', map, (call: Call<Iterable<Pair<Json, Json>>>) => {
      return (record, forward) => {
        for (const [key, value] of call(record.value, record.key)) {
          forward({ key: key ?? null, value: value ?? null, timestamp: record.timestamp })
        }
      }
    })
    return new KStream(derived.step, true)
  }

  flatMapValues<V2>(map: (value: V, key: K) => Iterable<V2>): KStream<V2, K> {
    return this.#transform('flatMapValues', map, (call: Call<Iterable<Json>>) => {
      return (record, forward) => {
        for (const value of call(record.value, record.key)) {
          forward({ ...record, value: value ?? null })
        }
      }
    })
  }

  selectKey<K2>(select: (value: V, key: K) => K2): KStream<V, K2> {
    const derived = this.#transform('selectKey', select, (call: Call<Json>) => {
      return (record, forward) => {
        forward({ ...record, key: call(record.value, record.key) ?? null })
      }
    })
    return new KStream(derived.step, true)
  }

  /** Looks at each record on its way. */
  peek(look: (value: V, key: K) => void): KStream<V, K> {
    return this.#transform('peek', look, (call: Call<void>) => (record, forward) => {
      call(record.value, record.key)
      forward(record)
    })
  }

  /** The records of both, in the order of their arrival. */
  merge<V2, K2>(other: KStream<V2, K2>): KStream<V | V2, K | K2> {
    const step = deriveStep(this.step, {
      kind: 'merge',
      others: [other.step],
      flow: (parents) => mergeStreams(parents.map(streamOf)),
    })
    return new KStream(step, this.isRekeyed || other.isRekeyed)
  }

  /**
   * Splits the stream: each record goes to the first branch that wants it, by the names given. With
   * `otherwise`, what no branch wants goes there; else it is left out.
   */
  split<B extends string, D extends string = never>(
    branches: { readonly [name in B]: (value: V, key: K) => boolean },
    otherwise?: D,
  ): { readonly [name in B | D]: KStream<V, K> } {
    const names = Object.keys(branches) as B[]
    const code = names.map((name) => branches[name])
    const all = otherwise === undefined ? names : [...names, otherwise]
    const streams = all.map((name, place) => [name, this.#branch(name, code, place)] as const)
    return Object.fromEntries(streams) as { [name in B | D]: KStream<V, K> }
  }

  /** Brings the records of each key together: what a change of keys needs before state. */
  repartition(): KStream<V, K> {
    return new KStream(this.#repartitioned(true))
  }

  /** The stream as a table: the last record of a key is its row, a null value deletes it. */
  toTable({ store, historyMs }: TableStoring = {}): KTable<V & object, K> {
    return new KTable(
      deriveStep(this.#keyed(false), {
        kind: 'toTable',
        told: [historyMs],
        store,
        flow: ([parent], context) =>
          historyMs === undefined
            ? tableOfStream(streamOf(parent), context)
            : versionedTable(streamOf(parent), context, historyMs),
      }),
    )
  }

  groupByKey(): KGroupedStream<V, K> {
    return new KGroupedStream(this.#keyed(false))
  }

  groupBy<K2>(select: (value: V, key: K) => K2 | null): KGroupedStream<V, NonNullable<K2>> {
    const selected = this.selectKey(select) as unknown as KStream<V, NonNullable<K2>>
    return selected.groupByKey()
  }

  /** Each record with the row of its key; a record without a row is left out. */
  joinTable<R, Out>(
    table: KTable<R, K>,
    select: (value: NonNullable<V>, row: R, key: K) => Out,
    options: { readonly graceMs?: number } = {},
  ): KStream<Out, K> {
    return this.#joinTable('joinTable', table, select, options)
  }

  /** Each record with the row of its key, or null. */
  leftJoinTable<R, Out>(
    table: KTable<R, K>,
    select: (value: NonNullable<V>, row: R | null, key: K) => Out,
    options: { readonly graceMs?: number } = {},
  ): KStream<Out, K> {
    return this.#joinTable('leftJoinTable', table, select, options)
  }

  /** Each record with the row of a global table that it points at. */
  joinGlobal<R, GK, Out>(
    table: GlobalKTable<R, GK>,
    on: (value: NonNullable<V>, key: K) => GK | null | undefined,
    select: (value: NonNullable<V>, row: R, key: K) => Out,
  ): KStream<Out, K> {
    return this.#joinGlobal('joinGlobal', table, [on, select])
  }

  /** Each record with the row of a global table that it points at, or null. */
  leftJoinGlobal<R, GK, Out>(
    table: GlobalKTable<R, GK>,
    on: (value: NonNullable<V>, key: K) => GK | null | undefined,
    select: (value: NonNullable<V>, row: R | null, key: K) => Out,
  ): KStream<Out, K> {
    return this.#joinGlobal('leftJoinGlobal', table, [on, select])
  }

  /** Pairs of records with the same key that are near in time. */
  join<R, Out>(
    other: KStream<R, K>,
    windows: JoinWindows,
    select: (left: NonNullable<V>, right: NonNullable<R>, key: K) => Out,
  ): KStream<Out, K> {
    return this.#joinStream('inner', other, windows, select)
  }

  /** The same, and with null the records of this stream that find no partner. */
  leftJoin<R, Out>(
    other: KStream<R, K>,
    windows: JoinWindows,
    select: (left: NonNullable<V>, right: NonNullable<R> | null, key: K) => Out,
  ): KStream<Out, K> {
    return this.#joinStream('left', other, windows, select)
  }

  /** The same, and with null the records of either stream that find no partner. */
  outerJoin<R, Out>(
    other: KStream<R, K>,
    windows: JoinWindows,
    select: (left: NonNullable<V> | null, right: NonNullable<R> | null, key: K) => Out,
  ): KStream<Out, K> {
    return this.#joinStream('outer', other, windows, select)
  }

  /** What the user's own code makes of the stream, with stores and timers. */
  process<V2 = Json, K2 = Json>(processor: Processor<V, K>): KStream<V2, K2> {
    const { process, onTimer, stores = [] } = processor
    const code = { process, onTimer } as unknown as ProcessorCode
    const step = deriveStep(this.#keyed(true), {
      ...{ kind: 'process', told: [process, onTimer ?? 'no timer', stores] },
      flow: ([parent], context) => processStream(streamOf(parent), context, code, stores),
    })
    return new KStream(step, true)
  }

  /**
   * Writes the stream to a topic, or to the topic that each record's function names. A null value
   * is a tombstone. A key that is no object is written as `{"key":…}`, or under the name given.
   */
  to(
    topic: string | ((value: V, key: K) => string),
    { key: keyColumn = 'key' }: { readonly key?: string } = {},
  ): void {
    if (this.step.listed === undefined) {
      const message = `${this.step.name} belongs to a view, whose only output is the view itself.`
      throw new MillraceError('CONFIG_INVALID', message)
    }
    deriveStep(this.step, {
      kind: 'to',
      told: [topic, keyColumn],
      output: typeof topic === 'string' ? topic : undefined,
      flow: ([parent], { place, write }) => {
        const name = typeof topic === 'string' ? () => topic : userCode<Args, string>(topic, place)
        const { records } = streamOf(parent)
        records.connect((record) => write(name(record.value, record.key), record, keyColumn))
        return streamOf(parent)
      },
    })
  }

  #transform<R, V2 = V, K2 = K>(
    kind: string,
    code: UserCode,
    transform: (call: Call<R>) => Transform,
  ): KStream<V2, K2> {
    const step = deriveStep(this.step, {
      kind,
      told: [code],
      flow: ([parent], { place }) =>
        transformStream(streamOf(parent), transform(userCode<Args, R>(code, place))),
    })
    return new KStream(step, this.isRekeyed)
  }

  #branch(name: string, code: readonly UserCode[], place: number): KStream<V, K> {
    const step = deriveStep(this.step, {
      kind: `split[${name}]`,
      told: code,
      flow: ([parent], context) => {
        const calls = code.map((one) => userCode<Args, boolean>(one, context.place))
        return transformStream(streamOf(parent), (record, forward) => {
          const wants = calls.findIndex((call) => call(record.value, record.key))
          if (wants === place || (wants < 0 && place === calls.length)) forward(record)
        })
      },
    })
    return new KStream(step, this.isRekeyed)
  }

  /** A step at which all records of a key are together. */
  #keyed(keepsNullKeys: boolean): Step {
    return this.isRekeyed ? this.#repartitioned(keepsNullKeys) : this.step
  }

  #repartitioned(keepsNullKeys: boolean): Step {
    return deriveStep(this.step, {
      kind: 'repartition',
      told: [keepsNullKeys],
      flow: ([parent], context) => repartitionStream(streamOf(parent), context, keepsNullKeys),
    })
  }

  #joinTable<Out>(
    kind: 'joinTable' | 'leftJoinTable',
    { step: other }: { readonly step: Step },
    select: UserCode,
    { graceMs }: { readonly graceMs?: number },
  ): KStream<Out, K> {
    const isLeft = kind === 'leftJoinTable'
    const step = deriveStep(this.#keyed(isLeft), {
      ...{ kind, others: [other], told: [select, graceMs] },
      flow: ([left, right], context) =>
        joinStreamWithTable(streamOf(left), tableOf(right), context, {
          on: (_value, key) => key,
          select: userCode(select, context.place),
          ...{ isLeft, graceMs },
        }),
    })
    return new KStream(step)
  }

  #joinGlobal<Out>(
    kind: 'joinGlobal' | 'leftJoinGlobal',
    { step: other }: { readonly step: Step },
    [on, select]: readonly [UserCode, UserCode],
  ): KStream<Out, K> {
    const step = deriveStep(this.step, {
      ...{ kind, others: [other], told: [on, select] },
      flow: ([left, right], context) =>
        joinStreamWithTable(streamOf(left), tableOf(right), context, {
          on: userCode(on, context.place),
          select: userCode(select, context.place),
          ...{ isLeft: kind === 'leftJoinGlobal', graceMs: undefined },
        }),
    })
    return new KStream(step, this.isRekeyed)
  }

  #joinStream<Out>(
    type: JoinType,
    other: KStream<unknown, K>,
    { beforeMs, afterMs, graceMs = 0, unmatched = 'whenClosed' }: JoinWindows,
    select: UserCode,
  ): KStream<Out, K> {
    const numbers = { beforeMs, afterMs, graceMs, unmatched }
    const kind = type === 'inner' ? 'join' : type === 'left' ? 'leftJoin' : 'outerJoin'
    const right = other.#keyed(type === 'outer')
    const step = deriveStep(this.#keyed(type !== 'inner'), {
      ...{ kind, others: [right], told: [select, numbers] },
      flow: ([l, r], context) =>
        joinStreams(streamOf(l), streamOf(r), context, {
          ...{ type, ...numbers, select: userCode(select, context.place) },
        }),
    })
    return new KStream(step)
  }
}

type Args = readonly [value: Json, key: Json]
type Call<R> = (value: Json, key: Json) => R
type Transform = (record: FlowRecord, forward: (record: FlowRecord) => void) => void

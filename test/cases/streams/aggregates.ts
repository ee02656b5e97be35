import type { Json } from '../../../src/core/json.ts'
import type { KGroupedStream } from '../../../src/streams/kgrouped-stream.ts'
import type { KTable } from '../../../src/streams/ktable.ts'
import type { StreamScope } from '../../../src/streams/stream-topology.ts'
import type { WindowedStream } from '../../../src/streams/windowed-stream.ts'
import {
  hopping,
  session,
  sliding,
  type Windowed,
  type Windows,
} from '../../../src/streams/windows.ts'
import { CaseFault } from '../difference.ts'
import type { Params } from './case.ts'
import { output } from './joins.ts'
import { clauses, formula } from './words.ts'

type Value = Exclude<Json, null>
type Kind = 'count' | 'reduce' | 'aggregate'
type Add = (agg: Json, value: Json) => string
type WindowTable = KTable<Json, Windowed<Json>>

export function aggregateWindows(kind: Kind, params: Params, scope: StreamScope): void {
  params.mustBe('cache', false)
  const emit = params.get('emit') ?? 'update'
  if (emit !== 'update' && emit !== 'close') throw new CaseFault(`emit ${emit} is not understood`)
  const group = scope.stream<Json>(params.sourceTopic).groupByKey()
  const windowed = group.windowedBy(windowsOf(params), { emit })
  windowTable(kind, windowed, params).toStream().to(output)
}

function windowTable(kind: Kind, group: WindowedStream<Json, Json>, params: Params): WindowTable {
  const words = params.text('aggregate', params.text('combine', params.text('reduce', '')))
  if (kind === 'count') {
    if (words !== 'count' && words !== 'count per key') throw misunderstood(words)
    return group.count()
  }
  if (kind === 'reduce') {
    const add = formula(words.replace(/^reduce: /, ''), ['a', 'b'])
    return group.reduce((a, b) => add({ a, b }))
  }
  const { initializer, adder, merger, ...rest } = clauses(words)
  if (initializer === undefined || adder === undefined || Object.keys(rest).length > 0) {
    throw misunderstood(words)
  }
  const init = (): Json => initializer
  const add = added(adder)
  if (merger === undefined) return group.aggregate({ init, add })
  const merge = formula(merger, ['a', 'b'])
  return group.aggregate({ init, add, merge: (a, b) => merge({ a, b }) })
}

export function windowsOf(params: Params): Windows {
  const type = params.text('window')
  const graceMs = params.number('graceMs')
  if (type === 'session') return session({ gapMs: params.number('gapMs'), graceMs })
  if (type === 'sliding') {
    return sliding({ differenceMs: params.number('timeDifferenceMs'), graceMs })
  }
  if (type !== 'tumbling' && type !== 'hopping') throw misunderstood(type)
  return hopping({
    sizeMs: params.number('sizeMs'),
    advanceMs: params.number('advanceMs'),
    graceMs,
  })
}

function added(adder: string): Add {
  const add = formula(adder, ['agg', 'value'])
  return (agg, value) => add({ agg, value })
}

export function aggregateTable(kind: 'count' | 'aggregate', params: Params, scope: StreamScope) {
  const versioned = params.text('topology').includes('persistentVersionedKeyValueStore')
  const table = scope.table<Value>(params.sourceTopic, versioned ? { historyMs: 300_000 } : {})
  const group = table.groupBy(groupKey(params.text('groupBy')))
  const words = params.text('aggregate')
  if (kind === 'count') {
    if (words !== 'count') throw misunderstood(words)
    group.count().toStream().to(output)
    return
  }
  const { initializer, adder, subtractor, ...rest } = clauses(words)
  const remarks = Object.keys(rest).filter((one) => !one.startsWith('old value is subtracted'))
  if (initializer === undefined || !adder || !subtractor || remarks.length > 0) {
    throw misunderstood(words)
  }
  const init = (): Json => initializer
  group
    .aggregate({ init, add: added(adder), subtract: added(subtractor) })
    .toStream()
    .to(output)
}

function groupKey(words: string): (value: Value, key: Json) => readonly [Json, Json] | null {
  const [first, ...rest] = words.split('; ')
  const dropping = ['input key "null" -> null key (dropped)']
  dropping.push('input key "NULL" -> mapper returns null (dropped)')
  if (first !== 'new key = value' || rest.some((one) => !dropping.includes(one))) {
    throw misunderstood(words)
  }
  return (value, key) => {
    if (key === 'NULL' && rest.length > 0) return null
    return [key === 'null' && rest.length > 0 ? null : value, value]
  }
}

/** Counts of a table's rows, held back for a while or, if it is `raw`, not. */
export function suppressTable(isRaw: boolean, params: Params, scope: StreamScope): void {
  params.mustBe('buffer', 'unbounded')
  params.mustBe('aggregate', 'count of table rows grouped by value (key = value)')
  const limitMs = params.number('timeLimitMs')
  const counts = scope
    .table<Value>('input')
    .groupBy((value, key) => [value, key])
    .count()
  const table = isRaw ? counts : counts.suppress(limitMs)
  table.toStream().to(output)
}

/** Rows that are held back before they are counted. */
export function suppressRows(params: Params, scope: StreamScope): void {
  params.mustBe('aggregate', 'count')
  scope
    .table<Value>('topic')
    .suppress(params.number('timeLimitMs'))
    .groupBy((value, key) => [key, value])
    .count()
    .toStream()
    .to(output)
}

/** Counts of windows, held back until they close or, if it is `raw`, not. */
export function suppressWindows(isRaw: boolean, params: Params, scope: StreamScope): void {
  const group = scope.stream<Json>('input').groupByKey().windowedBy(windowsOf(params))
  const counts = windowTable('count', group, params)
  const table = isRaw ? counts : counts.suppressUntilClose()
  table
    .toStream()
    .selectKey((_value, { key, start, end }) => `[${key}@${start}/${end}]`)
    .to(output)
}

const streamNames = ['one', 'two', 'three']

/** Several streams in one aggregate; a further topic may be a table to join it with. */
export function cogroup(params: Params, scope: StreamScope): void {
  params.mustBe('cache', false)
  const words = params.text('topology')
  const { initializer, ...adders } = clauses(params.text('aggregate'))
  if (initializer === undefined) throw misunderstood(params.text('aggregate'))
  const names = streamNames.filter((name) => words.includes(`stream('${name}')`))
  const inputs = names.map((name) => ({
    group: scope.stream<Json>(name).groupByKey() as KGroupedStream<Json, Json>,
    add: added(adders['adder (every stream)'] ?? adders[`stream ${name}`] ?? ''),
  }))
  const [first, ...others] = inputs
  let cogrouped = first!.group.cogroup<Json>(first!.add)
  for (const { group, add } of others) cogrouped = cogrouped.cogroup(group, add)
  const table = cogrouped.aggregate(() => initializer) as KTable<Value, Json>
  joined(table, params, scope).toStream().to(output)
}

function joined(table: KTable<Value, Json>, params: Params, scope: StreamScope) {
  if (!params.has('combine')) return table
  const wanted = 'cogroup result + "+" + value of table three (inner join)'
  params.mustBe('combine', wanted)
  return table.join(scope.table<Value>('three'), (left, right) => `${left}+${right}`)
}

function misunderstood(words: string): CaseFault {
  return new CaseFault(`"${words}" is not understood`)
}

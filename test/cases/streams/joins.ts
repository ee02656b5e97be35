import type { Json } from '../../../src/core/json.ts'
import type { JoinWindows, KStream } from '../../../src/streams/kstream.ts'
import type { KTable } from '../../../src/streams/ktable.ts'
import type { StreamScope } from '../../../src/streams/stream-topology.ts'
import { CaseFault } from '../difference.ts'
import type { Params } from './case.ts'
import { formula } from './words.ts'

type Value = Exclude<Json, null>
type Select = (left: Json, right: Json) => Json
type JoinType = 'inner' | 'left' | 'outer'
type Table = KTable<Value, Json>
type Stream = KStream<Json, Json>

/** Where a case's results are written. */
export const output = 'output'

function combination(params: Params): Select {
  const combine = formula(params.text('combine'), ['left', 'right'])
  return (left, right) => combine({ left, right })
}

function topics(params: Params, left: string, right: string): readonly [string, string] {
  return [params.text('left', left), params.text('right', right)]
}

export function joinStreams(type: JoinType, params: Params, scope: StreamScope): void {
  const [left, right] = streams(params, scope)
  joinTwo(type, [left, right], times(params), combination(params)).to(output)
}

/** Each result is joined with the right stream again. */
export function joinStreamsTwice(params: Params, scope: StreamScope): void {
  const [left, right] = streams(params, scope)
  const [windows, select] = [times(params), combination(params)]
  const first = joinTwo('inner', [left, right], windows, select)
  joinTwo('inner', [first, right], windows, select).to(output)
}

function joinTwo(
  type: JoinType,
  [left, right]: readonly [Stream, Stream],
  windows: JoinWindows,
  select: Select,
): Stream {
  if (type === 'inner') return left.join(right, windows, select)
  if (type === 'left') return left.leftJoin(right, windows, select)
  return left.outerJoin(right, windows, select)
}

function streams(params: Params, scope: StreamScope): readonly [Stream, Stream] {
  const [left, right] = topics(params, 'inputTopicLeft', 'inputTopicRight')
  const both = [scope.stream<Json>(left), scope.stream<Json>(right)] as const
  if (!params.has('repartitioned')) return both
  params.mustBe('repartitioned', true)
  return [both[0].map((value, key) => [key, value]), both[1].selectKey((_value, key) => key)]
}

function times(params: Params): JoinWindows {
  params.mustBe('legacyEager', true)
  return {
    beforeMs: params.number('beforeMs'),
    afterMs: params.number('afterMs'),
    graceMs: params.number('graceMs'),
    unmatched: params.get('legacyEager') === true ? 'atOnce' : 'whenClosed',
  }
}

export function joinStreamWithTable(type: JoinType, params: Params, scope: StreamScope): void {
  const [left, right] = topics(params, '', '')
  const history = params.has('tableHistoryRetentionMs')
    ? { historyMs: params.number('tableHistoryRetentionMs') }
    : {}
  const grace = params.has('graceMs') ? { graceMs: params.number('graceMs') } : {}
  const table = scope.table<Value>(right, history)
  const stream = scope.stream<Json>(left)
  const select = combination(params)
  const joined =
    type === 'inner'
      ? stream.joinTable(table, select, grace)
      : stream.leftJoinTable(table, select, grace)
  joined.to(output)
}

export function joinGlobal(type: JoinType, params: Params, scope: StreamScope): void {
  const [left, right] = topics(params, '', '')
  const table = scope.globalTable<Value, Value>(right)
  const stream = scope.stream<Json>(left)
  const on = keyMapper(params.text('keyMapper'))
  const combine = formula(params.text('combine'), ['left', 'right', 'mappedKey', 'streamKey'])
  const select = (own: Json, row: Json, streamKey: Json) =>
    combine({ left: own, right: row, streamKey, mappedKey: on(own) })
  const joined =
    type === 'inner'
      ? stream.joinGlobal(table, on, select)
      : stream.leftJoinGlobal(table, on, select)
  joined.to(output)
}

function keyMapper(words: string): (value: Json) => Json {
  if (words === 'stream value') return (value) => value
  if (words === 'second comma-separated token of the stream value, null when absent') {
    return (value) => String(value).split(',')[1] ?? null
  }
  throw new CaseFault(`the key mapper "${words}" is not understood`)
}

export function joinTables(type: JoinType, params: Params, scope: StreamScope): void {
  params.mustBe('cache', false)
  const [left, right] = topics(params, 'inputTopicLeft', 'inputTopicRight')
  const both = [table(scope, left, 'left', params), table(scope, right, 'right', params)] as const
  joinTwoTables(type, both, combination(params)).toStream().to(output)
}

/** Each result is joined with the right table again. */
export function joinTablesTwice(params: Params, scope: StreamScope): void {
  params.mustBe('cache', false)
  const [left, right] = topics(params, 'inputTopicLeft', 'inputTopicRight')
  const [l, r] = [scope.table<Value>(left), scope.table<Value>(right)]
  const select = combination(params)
  const first = joinTwoTables(params.text('first') as JoinType, [l, r], select)
  joinTwoTables(params.text('second') as JoinType, [first, r], select)
    .toStream()
    .to(output)
}

function joinTwoTables(
  type: JoinType,
  [left, right]: readonly [Table, Table],
  select: Select,
): Table {
  if (type === 'inner') return left.join(right, select) as Table
  if (type === 'left') return left.leftJoin(right, select) as Table
  if (type === 'outer') return left.outerJoin(right, select) as Table
  throw new CaseFault(`a join of type ${type} is not understood`)
}

function table(scope: StreamScope, topic: string, side: string, params: Params): Table {
  const isVersioned = params.get(`${side}Versioned`) === true
  const historyMs = (params.get('historyRetentionMs') as number | undefined) ?? 300_000
  return scope.table<Value>(topic, isVersioned ? { historyMs } : {})
}

export function joinByForeignKey(type: JoinType, params: Params, scope: StreamScope): void {
  params.mustBe('cache', false)
  const [leftTopic, rightTopic] = topics(params, '', '')
  const left = table(scope, leftTopic, 'left', params)
  const right = table(scope, rightTopic, 'right', params)
  const on = extractor(params.text('extractor'))
  const joining = { on, select: combination(params) }
  const joined = type === 'inner' ? left.join(right, joining) : left.leftJoin(right, joining)
  joined.toStream().to(output)
}

function extractor(words: string): (value: Json) => string | null {
  const basic = 'foreign key = part after "|" in the left value'
  const withNull = `${basic}; the part "returnNull" means null`
  if (words !== basic && words !== withNull) {
    throw new CaseFault(`the extractor "${words}" is not understood`)
  }
  return (value) => {
    const part = String(value).split('|')[1] ?? null
    return words === withNull && part === 'returnNull' ? null : part
  }
}

/** An outer join in which one side is held back for a while; the topology says which. */
export function joinSuppressed(params: Params, scope: StreamScope): void {
  const limitMs = params.number('timeLimitMs')
  const words = params.text('topology')
  const [left, right] = [scope.table<Value>('left'), scope.table<Value>('right')]
  const isLeft = words.includes(`table('left').suppress(`)
  if (!isLeft && !words.includes(`table('right').suppress(`)) {
    throw new CaseFault('the topology suppresses no side that is understood')
  }
  const l = isLeft ? left.suppress(limitMs) : left
  const r = isLeft ? right : right.suppress(limitMs)
  joinTwoTables('outer', [l, r], combination(params)).toStream().to(output)
}

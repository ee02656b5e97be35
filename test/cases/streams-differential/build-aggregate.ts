import type { Json } from '../../../src/core/json.ts'
import { KGroupedStream } from '../../../src/streams/kgrouped-stream.ts'
import { KGroupedTable } from '../../../src/streams/kgrouped-table.ts'
import type { WindowedStream } from '../../../src/streams/windowed-stream.ts'
import { hopping, session, sliding, tumbling, type Windows } from '../../../src/streams/windows.ts'
import { CaseFault } from '../difference.ts'
import type { AnyTable, Fields } from './build.ts'
import { compile } from './expression.ts'

type Kind = 'count' | 'reduce' | 'aggregate'
type Add = (agg: Json, value: Json, key: Json) => Json

export function buildAggregate(kind: Kind, fields: Fields): AnyTable {
  const grouping = fields.step('in')
  const window = fields.get('window')
  if (grouping instanceof KGroupedTable) return ofTable(kind, grouping, fields)
  if (!(grouping instanceof KGroupedStream)) throw new CaseFault('an aggregate needs a grouping')
  if (window === undefined) return ofStream(kind, grouping, fields)
  const emit = fields.get('emit') ?? 'update'
  if (emit !== 'close' && emit !== 'update') throw new CaseFault(`emit ${emit} is not understood`)
  const windowed = grouping.windowedBy(windowsOf(window), { emit })
  return ofWindows(kind, windowed, fields) as unknown as AnyTable
}

function ofStream(kind: Kind, group: KGroupedStream<Json, Json>, fields: Fields): AnyTable {
  const stored = fields.stored()
  if (kind === 'count') return group.count(stored)
  const add = adder('add', fields)
  if (kind === 'reduce') return group.reduce(add, stored) as AnyTable
  return group.aggregate({ init: initial(fields), add, ...stored }) as AnyTable
}

function ofTable(kind: Kind, group: KGroupedTable<Json, Json>, fields: Fields): AnyTable {
  const stored = fields.stored()
  if (kind === 'count') return group.count(stored)
  const [add, subtract] = [adder('add', fields), adder('sub', fields)]
  if (kind === 'reduce') return group.reduce(add, subtract, stored) as AnyTable
  return group.aggregate({ init: initial(fields), add, subtract, ...stored }) as AnyTable
}

function ofWindows(kind: Kind, windowed: WindowedStream<Json, Json>, fields: Fields) {
  const stored = fields.stored()
  if (kind === 'count') return windowed.count(stored)
  const add = adder('add', fields)
  if (kind === 'reduce') return windowed.reduce(add, stored)
  const told = fields.get('merge')
  if (told === undefined) return windowed.aggregate({ init: initial(fields), add, ...stored })
  const merged = compile(told)
  const merge = (agg: Json, agg2: Json, key: Json) => merged({ agg, agg2, key })
  return windowed.aggregate({ init: initial(fields), add, merge, ...stored })
}

function adder(name: 'add' | 'sub', fields: Fields): Add {
  const expression = fields.expression(name)
  return (agg, value, key) => expression({ agg, value, key })
}

function initial(fields: Fields): () => Json {
  const init = fields.expression('init')
  return () => init({})
}

function windowsOf(told: unknown): Windows {
  const { type, ...numbers } = told as Readonly<Record<string, number | string>>
  const wanted = { tumbling: 1, hopping: 2, sliding: 1, session: 1 }[String(type)]
  if (wanted === undefined || Object.keys(numbers).length !== wanted + 1) {
    throw new CaseFault(`the window ${JSON.stringify(told)} is not understood`)
  }
  const number = (name: string) => Number(numbers[name])
  const graceMs = number('grace')
  if (type === 'tumbling') return tumbling({ sizeMs: number('size'), graceMs })
  if (type === 'sliding') return sliding({ differenceMs: number('diff'), graceMs })
  if (type === 'session') return session({ gapMs: number('gap'), graceMs })
  return hopping({ sizeMs: number('size'), advanceMs: number('advance'), graceMs })
}

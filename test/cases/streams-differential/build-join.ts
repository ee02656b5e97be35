import type { Json } from '../../../src/core/json.ts'
import { GlobalKTable } from '../../../src/streams/global-ktable.ts'
import type { KeyValue } from '../../../src/streams/key.ts'
import { CaseFault } from '../difference.ts'
import type { AnyStream, AnyTable, Built, Fields, Value } from './build.ts'

type Select = (left: Json, right: Json, key: Json) => Json

export function buildJoin(fields: Fields): Built {
  const [kind, type] = [fields.text('kind'), fields.text('type')]
  const value = fields.expression('value')
  const select: Select = (left, right, key) => value({ left, right, key })
  const make = joins[`${kind} ${type}`]
  if (make === undefined) throw new CaseFault(`a ${type} join ${kind} is not understood`)
  return make(fields, select)
}

type Make = (fields: Fields, select: Select) => Built

const joins: Readonly<Record<string, Make>> = {
  'stream-table inner': (f, select) => left(f).joinTable(f.table('right'), select),
  'stream-table left': (f, select) => left(f).leftJoinTable(f.table('right'), select),
  'stream-globalTable inner': (f, select) => left(f).joinGlobal(global(f), mapKey(f), select),
  'stream-globalTable left': (f, select) => left(f).leftJoinGlobal(global(f), mapKey(f), select),
  'stream-stream inner': (f, select) => left(f).join(f.stream('right'), times(f), select),
  'stream-stream left': (f, select) => left(f).leftJoin(f.stream('right'), times(f), select),
  'stream-stream outer': (f, select) => left(f).outerJoin(f.stream('right'), times(f), select),
  'table-table inner': (f, select) => f.table('left').join(f.table('right'), select, f.stored()),
  'table-table left': (f, select) => f.table('left').leftJoin(f.table('right'), select, f.stored()),
  'table-table outer': (f, select) =>
    f.table('left').outerJoin(f.table('right'), select, f.stored()),
  'foreign-key inner': (f, select) => byForeignKey('join', f, select),
  'foreign-key left': (f, select) => byForeignKey('leftJoin', f, select),
}

function left(fields: Fields): AnyStream {
  return fields.stream('left')
}

function global(fields: Fields): GlobalKTable<Value, Value> {
  const found = fields.step('right')
  if (!(found instanceof GlobalKTable)) throw new CaseFault('the right side is no global table')
  return found
}

function mapKey(fields: Fields): (value: Json, key: Json) => Json {
  const map = fields.expression('mapKey')
  return (value, key) => map({ key, value })
}

function times(fields: Fields) {
  return {
    beforeMs: fields.number('before'),
    afterMs: fields.number('after'),
    graceMs: fields.number('grace'),
  }
}

function byForeignKey(kind: 'join' | 'leftJoin', fields: Fields, select: Select): AnyTable {
  const [leftTable, right] = [fields.table('left'), fields.table('right')]
  const foreignKey = fields.expression('fk')
  const joining = {
    on: (row: Json) => foreignKey({ value: row }) as KeyValue | null,
    select: (own: Json, other: Json) => select(own, other, null),
    ...fields.stored(),
  }
  const joined =
    kind === 'join' ? leftTable.join(right, joining) : leftTable.leftJoin(right, joining)
  return joined as AnyTable
}

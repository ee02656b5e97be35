import fc from 'fast-check'
import { test } from 'tap'
import type { Json, Row } from '../../src/core/json.ts'
import { parseRow, schemaOf, stringifyRow } from '../../src/core/row.ts'
import type { Column, ColumnKind, Schema } from '../../src/core/schema.ts'

const text = fc.string({ unit: 'binary' }).map((text) => text.toWellFormed())
const plain = fc.jsonValue({ noUnicodeString: false }) as fc.Arbitrary<Json>

/** A column's kind with a value that such a column may have. */
const values: { readonly [kind in ColumnKind]?: fc.Arbitrary<Json> } = {
  number: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
  int8: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  decimal: fc.bigInt().map((digits) => `${digits}.5`),
  boolean: fc.boolean(),
  string: text,
  json: plain,
}
const cell = fc
  .constantFrom(...(Object.keys(values) as ColumnKind[]))
  .chain((kind) => fc.tuple(fc.constant(kind), fc.option(values[kind]!)))
const table = fc.array(fc.tuple(text, cell), { maxLength: 9 }).map((columns) => {
  const row: Record<string, Json> = Object.create(null)
  const schema: Column[] = []
  for (const [name, [kind, value]] of columns) {
    if (name in row) continue
    row[name] = value
    schema.push({ name, kind, type: kind, key: false })
  }
  return { row: row as Row, schema: { columns: schema } as Schema }
})

test('a row comes back with every digit of its int8 columns', (t) => {
  fc.assert(
    fc.property(table, ({ row, schema }) => {
      const parsed = parseRow(Buffer.from(stringifyRow(row)), schema)
      t.same(Object.keys(parsed), Object.keys(row))
      for (const { name, kind } of schema.columns) {
        if (kind === 'json') t.equal(JSON.stringify(parsed[name]), JSON.stringify(row[name]))
        else t.equal(parsed[name], Object.is(row[name], -0) ? 0 : row[name])
      }
    }),
  )
  t.end()
})

test('arrays of int8 keep their digits, of any dimension', (t) => {
  const column = { name: 'a', kind: 'array', element: 'int8', type: 'int8[]', key: false } as const
  const schema = { columns: [column] }
  const parse = (text: string) => parseRow(Buffer.from(text), schema).a
  t.same(parse('{"a":[1,null,[2]]}'), [1n, null, [2n]])
  t.same(parse('{"a":[1,[9007199254740993]]}'), [1n, [9007199254740993n]])
  t.equal(parse('{"a":null}'), null)
  t.end()
})

test('the type of a column decides, never its value', (t) => {
  const columns = [
    { name: 'small', kind: 'int8', type: 'int8', key: false },
    { name: 'large', kind: 'number', type: 'float8', key: false },
  ] as const
  const row = parseRow(Buffer.from('{"small":1,"large":9007199254740993,"new":2}'), { columns })
  t.strictSame({ ...row }, { small: 1n, large: 9007199254740992, new: 2 })
  t.end()
})

test('no column name reaches a prototype', (t) => {
  for (const text of ['{"__proto__":{"x":1}}', '{"__proto__":{"x":1},"id":9007199254740993}']) {
    const schema = { columns: [{ name: 'id', kind: 'int8', type: 'int8', key: true }] } as const
    const row = parseRow(Buffer.from(text), schema)
    t.notOk('constructor' in row)
    t.notOk('toString' in row)
    t.equal(schemaOf(row), schema)
    t.equal(row.x, undefined)
    t.ok(Object.hasOwn(row, '__proto__'))
    t.ok(stringifyRow(row).startsWith('{"__proto__":{"x":1}'))
  }
  t.end()
})

test('JSON is rendered as JSON.stringify renders it', (t) => {
  const anything = fc.anything({
    withDate: true,
    withSparseArray: true,
    withNullPrototype: true,
    withUnicodeString: true,
    values: [fc.integer(), fc.double(), fc.string({ unit: 'binary' }), fc.constant(undefined)],
  })
  fc.assert(
    fc.property(anything, (value) => {
      const rendered = JSON.stringify(value)
      t.equal(stringifyRow(value), rendered ?? 'null')
    }),
  )
  const odd = { f: () => 1, s: Symbol.iterator, d: new Date(0), a: [undefined, () => 1], n: -0 }
  t.equal(stringifyRow(odd), JSON.stringify(odd))
  t.equal(stringifyRow({ big: [2n ** 64n] }), '{"big":[18446744073709551616]}')
  t.end()
})

import fc from 'fast-check'
import t from 'tap'
import type { TypeInfo } from '../../../../connectors/postgres/values/type-info.ts'
import { encodeDebezium, encodePlain, typeNamed } from './encode.ts'

type Nested = string | null | readonly Nested[]

/** Words and signs that the server must quote or that look like something else. */
const text = fc.oneof(
  fc.constantFrom('', 'NULL', 'null', '{}', '"', '\\', ',', '(', ')', '[', ' ', '"",', "'"),
  fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.toWellFormed()),
)
const element = fc.option(text, { freq: 4 })

/** Arrays of one to three dimensions; all inner arrays have one length. */
const nested = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }))
  .chain(([dimensions, length]) => {
    let value: fc.Arbitrary<Nested> = element
    for (let i = 0; i < dimensions; i++) {
      value = fc.array(value, { minLength: length, maxLength: length })
    }
    return value
  })

/** What array_out prints. */
function printArray(value: Nested, delimiter = ','): string {
  if (value === null) return 'NULL'
  if (typeof value !== 'string') {
    return `{${value.map((part) => printArray(part, delimiter)).join(delimiter)}}`
  }
  const plain = /^[^\s"\\{},;]+$/.test(value) && value.toUpperCase() !== 'NULL'
  return plain ? value : `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}

/** What record_out prints. */
function printRecord(fields: readonly (string | null)[]): string {
  const print = (field: string | null) => {
    if (field === null) return ''
    const plain = /^[^\s"\\(),]+$/.test(field)
    return plain ? field : `"${field.replaceAll(/["\\]/g, '$&$&')}"`
  }
  return `(${fields.map(print).join(',')})`
}

t.test('arrays of any dimension come back, with nulls and the word NULL apart', async (t) => {
  fc.assert(
    fc.property(nested, (value) => {
      const printed = printArray(value)
      const encoded = [encodePlain('text[]', printed), encodeDebezium('text[]', printed)]
      return encoded.every((json) => json === JSON.stringify(value))
    }),
  )
  t.pass('whatever the elements hold')
})

t.test('bounds that do not start at 1 change nothing', async (t) => {
  t.equal(encodePlain('int4[]', '[-1:0][2:3]={{1,2},{3,4}}'), '[[1,2],[3,4]]')
})

t.test('composites come back, alone and in arrays', async (t) => {
  const pair: TypeInfo = {
    oid: 90_001,
    name: 'pair',
    namespace: 'app',
    delimiter: ',',
    kind: 'composite',
    fields: ['a', 'b "c"'].map((name) => ({ name, type: typeNamed('text'), typmod: -1 })),
  }
  const pairs: TypeInfo = { ...pair, oid: 90_002, name: '_pair', kind: 'array', element: pair }
  fc.assert(
    fc.property(fc.array(fc.tuple(element, element), { minLength: 1, maxLength: 3 }), (values) => {
      const objects = values.map(([a, c]) => ({ a, 'b "c"': c }))
      const printed = values.map(printRecord)
      return (
        encodePlain(pair, printed[0]!) === JSON.stringify(objects[0]) &&
        encodePlain(pairs, printArray(printed)) === JSON.stringify(objects)
      )
    }),
  )
  t.pass('whatever the fields hold')
})

t.test('ranges and multiranges of text keep their bounds', async (t) => {
  const named = { oid: 90_003, namespace: 'app', delimiter: ',' }
  const range: TypeInfo = { ...named, name: 'words', kind: 'range', subtype: typeNamed('text') }
  const ranges: TypeInfo = { ...named, name: 'manywords', kind: 'multirange', range }
  fc.assert(
    fc.property(element, element, fc.boolean(), fc.boolean(), (lower, upper, from, to) => {
      const inside = printRecord([lower, upper]).slice(1, -1)
      const printed = `${from ? '[' : '('}${quoteBrackets(inside)}${to ? ']' : ')'}`
      const value = { lower, upper, lowerInclusive: from, upperInclusive: to, empty: false }
      return (
        encodePlain(range, printed) === JSON.stringify(value) &&
        encodePlain(ranges, `{${printed},${printed}}`) === JSON.stringify([value, value])
      )
    }),
  )
  t.pass('whatever the bounds hold')
})

/** Ranges quote brackets too, which records leave bare. */
function quoteBrackets(bounds: string): string {
  return bounds
    .split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/)
    .map((bound) => (/[[\]]/.test(bound) && !bound.startsWith('"') ? `"${bound}"` : bound))
    .join(',')
}

t.test('hstore keys and values come back, in the order of the server', async (t) => {
  const keys = fc.uniqueArray(
    text.filter((key) => key !== '__proto__' && !/^\d+$/.test(key)),
    { maxLength: 4 },
  )
  fc.assert(
    fc.property(keys, fc.array(element, { minLength: 4, maxLength: 4 }), (names, values) => {
      const quote = (value: string) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`
      const entries = names.map((name, i) => [name, values[i]!] as const)
      const printed = entries
        .map(([key, value]) => `${quote(key)}=>${value === null ? 'NULL' : quote(value)}`)
        .join(', ')
      const json = JSON.stringify(Object.fromEntries(entries))
      return (
        encodePlain('+hstore', printed) === json &&
        encodeDebezium('+hstore', printed, { hstore: 'map' }) === json &&
        encodeDebezium('+hstore', printed) === JSON.stringify(json)
      )
    }),
  )
  t.pass('whatever they hold')
})

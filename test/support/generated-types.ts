import fc from 'fast-check'
import * as literals from './generated-literals.ts'
import { type Literals, quote } from './generated-literals.ts'

/** What a type's text consists of. */
export type Shape =
  | { readonly kind: 'base'; readonly name: string; readonly modifiers: readonly number[] }
  | { readonly kind: 'enum' }
  | { readonly kind: 'domain'; readonly base: Shape }
  | { readonly kind: 'array'; readonly element: Shape; readonly delimiter: ',' | ';' }
  | { readonly kind: 'composite'; readonly fields: readonly (readonly [string, Shape])[] }
  | { readonly kind: 'range'; readonly subtype: Shape; readonly builtin: boolean }
  | { readonly kind: 'multirange'; readonly range: Shape }

export interface GeneratedType {
  /** As a column's definition has it. */
  readonly sql: string
  readonly shape: Shape
  readonly literals: Literals
}

/** What the types need; run once in a database. */
export const typeDefinitions = `
  create extension hstore; create extension citext; create extension ltree;
  create extension isn; create extension cube; create extension seg;
  create schema "Odd ""schema""";
  create type mood as enum ('sad', 'ok "x"', 'a,b', 'NULL', '', '{é}', '\\');
  create domain price as numeric(10,2);
  create domain "Net price" as price;
  create domain words as text[];
  create domain moment as timestamp(3);
  create type spans as range (subtype = float8);
  create type lexicon as range (subtype = text, collation = "C");
  create type inner_item as (at moment, "a ""b"" \\" mood, flags bit(3));
  create type "Odd ""schema""".item as (id int8, name text, moods mood[], tags hstore,
    price "Net price", "inner" inner_item, span tstzrange, data jsonb, raw bytea, at timestamptz);
  create domain items as "Odd ""schema""".item[];
  create type "Odd ""schema""".single as ("only" text)`

function base(sql: string, values: Literals, ...modifiers: readonly number[]): GeneratedType {
  const name = internalNames[sql] ?? sql
  const written = modifiers.length === 0 ? sql : `${sql}(${modifiers.join(',')})`
  return { sql: written, shape: { kind: 'base', name, modifiers }, literals: values }
}

/** Where SQL and the catalog have different names. */
const internalNames: Readonly<Record<string, string>> = { char: 'bpchar', '"char"': 'char' }

const among = fc.constantFrom

const common: readonly GeneratedType[] = [
  ...[base('bool', literals.boolean), base('int2', literals.int2), base('int4', literals.int4)],
  ...[base('int8', literals.int8), base('float4', literals.float4)],
  ...[base('float8', literals.float8), base('numeric', literals.numeric)],
  base('numeric', literals.scaled(10, 2), 10, 2),
  base('numeric', literals.scaled(38, 0), 38, 0),
  base('numeric', literals.scaled(4, -3), 4, -3),
  base('numeric', literals.scaled(3, 7), 3, 7),
  ...[base('text', literals.text), base('varchar', literals.text)],
  ...[base('varchar', literals.upTo(7), 7), base('char', literals.upTo(6), 6)],
  ...[base('date', literals.date), base('time', literals.time), base('time', literals.time, 3)],
  ...[base('timetz', literals.timetz), base('timestamp', literals.timestamp)],
  base('timestamp', literals.timestamp.filter(isRoundable), 2),
  base('timestamp', literals.timestamp.filter(isRoundable), 4),
  ...[base('timestamptz', literals.timestamptz)],
  base('timestamptz', literals.timestamptz.filter(isRoundable), 0),
  ...[base('bytea', literals.bytea), base('uuid', literals.uuid), base('jsonb', literals.jsonb)],
]

/** Rounding up the last microsecond of all leaves the range. */
function isRoundable(moment: string): boolean {
  return !moment.startsWith('294276')
}

const mood = among('sad', 'ok "x"', 'a,b', 'NULL', '', '{é}', '\\')

const rare: readonly GeneratedType[] = [
  ...[
    base('interval', literals.interval),
    base(
      'interval',
      literals.interval.filter((text) => !text.startsWith('2562')),
      2,
    ),
  ],
  ...[base('money', literals.money), base('json', literals.json)],
  ...[base('bit', literals.bits(1, 1), 1), base('bit', literals.bits(11, 11), 11)],
  ...[base('varbit', literals.bits(0, 40)), base('varbit', literals.bits(0, 1), 1)],
  ...[base('inet', literals.inet), base('cidr', literals.cidr)],
  ...[base('macaddr', literals.macaddr), base('macaddr8', literals.macaddr8)],
  ...[base('"char"', literals.singleChar), base('name', literals.name)],
  ...[
    base('oid', literals.unsigned),
    base('xid', literals.unsigned),
    base('cid', literals.unsigned),
  ],
  ...[base('xid8', literals.unsigned64), base('tid', literals.tid), base('pg_lsn', literals.lsn)],
  ...[base('int2vector', literals.vector(literals.int2))],
  ...[base('oidvector', literals.vector(literals.unsigned))],
  ...[base('point', literals.points), base('line', literals.line), base('circle', literals.circle)],
  ...[base('lseg', literals.segment), base('box', literals.box), base('path', literals.path)],
  ...[base('polygon', literals.polygon), base('tsvector', literals.tsvector)],
  ...[base('tsquery', literals.tsquery), base('jsonpath', among('$.a[*] ? (@ > 1)', '$', '"\\""'))],
  ...[base('regclass', among('pg_class', '0', '"Odd ""schema""".item'))],
  ...[base('regtype', among('int4', 'text[]')), base('refcursor', literals.words)],
  ...[base('aclitem', among('=r/postgres', 'postgres=arwdDxt/postgres'))],
  ...[base('pg_snapshot', among('10:20:10,14,15', '1:1:')), base('hstore', literals.hstore)],
  ...[
    base('citext', literals.text),
    base('ltree', literals.ltree),
    base('lquery', among('*.a|b{1,2}.!c', 'Top*@')),
  ],
  ...[base('cube', among('(1,2),(3,4.5)', '(0)', '()')), base('seg', among('1.50 .. 2', '~6.50'))],
  base('isbn', among('978-0-393-04002-9', '0-393-04002-X')),
  base('ean13', among('978-0-393-04002-9', '220-356483481-?')),
  { sql: 'mood', shape: { kind: 'enum' }, literals: mood },
]

export const scalarTypes: readonly GeneratedType[] = [...common, ...rare]

function domain(sql: string, of: GeneratedType): GeneratedType {
  return { sql, shape: { kind: 'domain', base: of.shape }, literals: of.literals }
}

function modified(sql: string, ...modifiers: readonly number[]): GeneratedType {
  const written = modifiers.length === 0 ? sql : `${sql}(${modifiers.join(',')})`
  return scalarTypes.find((type) => type.sql === written)!
}

const price = domain('price', modified('numeric', 10, 2))
const netPrice = domain('"Net price"', price)
const moment = domain('moment', base('timestamp', literals.timestamp.filter(isRoundable), 3))
const words = domain('words', arrayOf(modified('text')))
const innerItem = composite('inner_item', [
  ['at', moment],
  ['a "b" \\', modified('mood')],
  ['flags', base('bit', literals.bits(3, 3), 3)],
])

/** In the order of `points`, so that the lower bound is not above the upper one. */
function ordered(points: readonly string[]): fc.Arbitrary<readonly [string, string]> {
  const place = fc.nat(points.length - 1)
  return fc.tuple(place, place).map(([a, b]) => [points[Math.min(a, b)]!, points[Math.max(a, b)]!])
}

function range(sql: string, subtype: GeneratedType, points: readonly string[]): GeneratedType {
  const literals = fc
    .tuple(ordered(points), fc.boolean(), fc.boolean(), among('[', '('), among(']', ')'))
    .map(([[low, high], noLow, noHigh, open, close]) => {
      const [lower, upper] = [noLow ? '' : quote(low), noHigh ? '' : quote(high)]
      return `${open}${lower},${upper}${close}`
    })
  const builtin = sql !== 'spans' && sql !== 'lexicon'
  return { sql, shape: { kind: 'range', subtype: subtype.shape, builtin }, literals }
}

function multirange(sql: string, of: GeneratedType): GeneratedType {
  const many = fc.array(of.literals, { maxLength: 3 }).map((all) => `{${all.join(',')}}`)
  return { sql, shape: { kind: 'multirange', range: of.shape }, literals: many }
}

const moments = ['-infinity', '0044-03-15 12:00:00.5 BC', '1969-12-31 23:59:59', '20000-01-01']
const ranges: readonly (readonly [GeneratedType, string])[] = [
  [
    range('int4range', modified('int4'), ['-2147483648', '-1', '0', '7', '2147483646']),
    'int4multirange',
  ],
  [
    range('int8range', modified('int8'), ['-9223372036854775808', '0', '5', '9007199254740993']),
    'int8multirange',
  ],
  [
    range('numrange', modified('numeric'), ['-1e30', '-0.10', '0', '1.50', 'Infinity', 'NaN']),
    'nummultirange',
  ],
  [range('tsrange', modified('timestamp'), [...moments, 'infinity']), 'tsmultirange'],
  [range('tstzrange', modified('timestamptz'), [...moments, 'infinity']), 'tstzmultirange'],
  [
    range('daterange', modified('date'), [...moments.slice(0, 3), '2024-02-29', '10000-01-01']),
    'datemultirange',
  ],
  [
    range('spans', modified('float8'), ['-Infinity', '-1.5', '0', '1e20', 'NaN']),
    'spans_multirange',
  ],
  [
    range('lexicon', modified('text'), ['', ' ', '"', ')', ',', 'NULL', '\\', '{', 'é']),
    'lexicon_multirange',
  ],
]

const items = composite('"Odd ""schema""".item', [
  ...([
    ['id', modified('int8')],
    ['name', modified('text')],
    ['moods', arrayOf(modified('mood'))],
  ] as const),
  ...([
    ['tags', modified('hstore')],
    ['price', netPrice],
    ['inner', innerItem],
  ] as const),
  ...([
    ['span', ranges[4]![0]],
    ['data', modified('jsonb')],
    ['raw', modified('bytea')],
  ] as const),
  ['at', modified('timestamptz')],
])

const composed: readonly GeneratedType[] = [
  ...[price, netPrice, moment, words, innerItem, items, domain('items', arrayOf(items))],
  composite('"Odd ""schema""".single', [['only', modified('text')]]),
  ...ranges.flatMap(([of, multi]) => [of, multirange(multi, of)]),
]

function composite(
  sql: string,
  fields: readonly (readonly [string, GeneratedType])[],
): GeneratedType {
  const values = fields.map(([, type]) => fc.option(type.literals, { freq: 4 }))
  return {
    sql,
    shape: { kind: 'composite', fields: fields.map(([name, { shape }]) => [name, shape]) },
    literals: fc
      .tuple(...values)
      .map((all) => `(${all.map((value) => (value === null ? '' : quote(value))).join(',')})`),
  }
}

/** Of one to three dimensions, which start anywhere. */
function arrayOf(element: GeneratedType): GeneratedType {
  const delimiter = element.sql === 'box' ? ';' : ','
  const value = fc.option(element.literals, { freq: 4 }).map(quote)
  const size = fc.integer({ min: 1, max: 3 })
  const dimensions = fc.oneof(
    fc.array(size, { minLength: 0, maxLength: 1 }),
    fc.array(size, { minLength: 2, maxLength: 3 }),
  )
  const bound = fc.oneof(fc.constant(1), fc.integer({ min: -5, max: 5 }))
  const literals = fc
    .tuple(dimensions, fc.array(value, { minLength: 27, maxLength: 27 }), bound)
    .map(([sizes, values, start]) => {
      if (sizes.length === 0) return '{}'
      const bounds = sizes.map((length) => `[${start}:${start + length - 1}]`).join('')
      return (start === 1 ? '' : `${bounds}=`) + nest(sizes, values.values(), delimiter)
    })
  return {
    sql: `${element.sql}[]`,
    shape: { kind: 'array', element: element.shape, delimiter },
    literals,
  }
}

function nest(sizes: readonly number[], values: Iterator<string>, delimiter: string): string {
  const [size, ...inner] = sizes
  if (size === undefined) return values.next().value
  const parts = Array.from({ length: size }, () => nest(inner, values, delimiter))
  return `{${parts.join(delimiter)}}`
}

/** Types whose arrays the server has under another name, or not at all. */
const single = [...scalarTypes, ...composed]

/** Every type once, then arrays of each. */
export const allTypes: readonly GeneratedType[] = [...single, ...single.map(arrayOf)]

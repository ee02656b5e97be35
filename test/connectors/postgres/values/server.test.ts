import fc from 'fast-check'
import t from 'tap'
import { againstServer } from './against-server.ts'

/** Values of one kind, for one query. */
function sample<T>(arbitrary: fc.Arbitrary<T>): T[] {
  return fc.sample(arbitrary, 400)
}

const word = fc.oneof(
  fc.constantFrom('', 'NULL', 'null', '{', '}', '"', '\\', ',', '(', ')', ' ', '\n', "'", '=>'),
  fc
    .string({ unit: 'binary', maxLength: 10 })
    .map((text) => text.toWellFormed().replaceAll('\0', '')),
)
const element = fc.option(word, { freq: 3 })
const int8 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)

function quote(text: string | null): string {
  return text === null ? 'NULL' : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

function array(elements: readonly (string | null)[]): string {
  return `{${elements.map(quote).join(',')}}`
}

t.test('numbers, text and bytes are what the server says they are', async (t) => {
  const compare = await againstServer(t)
  const amount = fc
    .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: -10, max: 25 }))
    .map(([value, scale]) => `${value}e${-scale}`)
  const same = 'to_json(v)'
  t.equal(await compare({ type: 'int8', expected: same }, sample(int8)), undefined)
  t.equal(
    await compare({ type: 'numeric', expected: 'to_json(v::text)' }, sample(amount)),
    undefined,
  )
  t.equal(
    await compare({ type: 'float8', expected: same }, sample(fc.double().map(String))),
    undefined,
  )
  t.equal(
    await compare({ type: 'float4', expected: same }, sample(fc.float().map(String))),
    undefined,
  )
  t.equal(await compare({ type: 'text', expected: same }, sample(word)), undefined)
  const json = fc.json().filter((text) => text.isWellFormed() && !/\\u(0000|d[89a-f])/i.test(text))
  t.equal(await compare({ type: 'jsonb', expected: 'v' }, sample(json)), undefined)
  const hex = fc.uint8Array().map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`)
  const base64 = `to_json(replace(encode(v, 'base64'), E'\\n', ''))`
  t.equal(await compare({ type: 'bytea', expected: base64 }, sample(hex)), undefined)
  const money = { type: 'money', given: 'raw::int8::numeric::money / 1000' }
  const cents = fc.bigInt({ min: -(10n ** 16n), max: 10n ** 16n }).map(String)
  t.equal(
    await compare({ ...money, expected: 'to_json(v::numeric::text)' }, sample(cents)),
    undefined,
  )
})

t.test('times are the same instants as for the server', async (t) => {
  const compare = await againstServer(t)
  const micros = (min: bigint, max: bigint) => sample(fc.bigInt({ min, max }).map(String))
  const all = micros(-210_866_803_200_000_000n, 9_223_371_331_199_999_999n)
  // to_json writes ISO 8601 too, but only these years alike.
  const common = micros(-62_135_596_800_000_000n, 253_402_300_799_999_999n)
  const given = (type: string) =>
    `(timestamp 'epoch' + (raw || ' microseconds')::interval)::${type}`
  const timestamp = { type: 'timestamp', given: given('timestamp') }
  const timestamptz = { type: 'timestamptz', given: given('timestamptz') }
  const time = { type: 'time', given: given('time') }
  const date = { type: 'date', given: given('date') }
  const number = 'trunc(extract(epoch from v) * 1000000)'
  t.equal(await compare({ ...timestamp, expected: number, modes: {} }, all), undefined)
  t.equal(await compare({ ...time, expected: number, modes: {} }, all), undefined)
  t.equal(await compare({ ...date, expected: `v - date '1970-01-01'`, modes: {} }, all), undefined)
  t.equal(await compare({ ...timestamp, expected: 'to_json(v)' }, common), undefined)
  const utc = `replace(to_json(v)::text, '+00:00', 'Z')`
  t.equal(await compare({ ...timestamptz, expected: utc }, common), undefined)
  t.equal(await compare({ ...date, expected: 'to_json(v)' }, common), undefined)
})

t.test('intervals are what the server writes in ISO 8601, and as long', async (t) => {
  const compare = await againstServer(t)
  const part = fc.integer({ min: -20_000, max: 20_000 })
  const micros = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n })
  const interval = fc
    .tuple(part, part, fc.oneof(micros, fc.constant(0n)))
    .map(([months, days, micros]) => `${months} mons ${days} days ${micros} microseconds`)
  const under = 'set intervalstyle = iso_8601'
  const iso = { type: 'interval', expected: 'to_json(v::text)', under }
  t.equal(await compare(iso, [...sample(interval), '0', 'infinity']), undefined)
  const length = `(extract(year from v) * 12 + extract(month from v)) * 2629800000000
    + extract(day from v) * 86400000000
    + (extract(hour from v) * 60 + extract(minute from v)) * 60000000
    + extract(microseconds from v)`
  t.equal(
    await compare({ type: 'interval', expected: `trunc(${length})`, modes: {} }, sample(interval)),
    undefined,
  )
})

const definitions = `
  create extension hstore;
  create type mood as enum ('sad', 'ok "x"', 'a,b', 'NULL', '');
  create type item as (id int8, name text, moods mood[], tags hstore, price numeric(10,2));
  create type words as range (subtype = text, collation = "C")`

const moods = fc
  .array(fc.constantFrom('sad', 'ok "x"', 'a,b', 'NULL', '', null), { maxLength: 3 })
  .map(array)
const tags = fc
  .dictionary(word, element, { maxKeys: 3, noNullPrototype: true })
  .map((object) => Object.entries(object).map((entry) => entry.map(quote).join('=>')))
  .map((entries) => entries.join(','))

t.test('arrays, composites and hstore hold what the server put in', async (t) => {
  const compare = await againstServer(t, definitions)
  const flat = fc.array(element, { maxLength: 4 }).map(array)
  t.equal(await compare({ type: 'text[]', expected: 'to_json(v)' }, sample(flat)), undefined)
  const pairs = fc.array(fc.tuple(element, element), { minLength: 1, maxLength: 3 })
  const bounded = pairs.map((rows) => `[0:${rows.length - 1}][2:3]={${rows.map(array).join(',')}}`)
  t.equal(await compare({ type: 'text[]', expected: 'to_json(v)' }, sample(bounded)), undefined)
  t.equal(await compare({ type: 'mood[]', expected: 'to_json(v)' }, sample(moods)), undefined)
  t.equal(await compare({ type: 'hstore', expected: 'hstore_to_json(v)' }, sample(tags)), undefined)

  const members = (v: string) => `json_build_object('id', (${v}).id, 'name', (${v}).name,
    'moods', (${v}).moods, 'tags', hstore_to_json((${v}).tags), 'price', (${v}).price::text)`
  const item = fc.tuple(int8, element, moods, tags).map((fields) => record([...fields, '1.50']))
  t.equal(await compare({ type: 'item', expected: members('v') }, sample(item)), undefined)
  const items = fc.array(item, { minLength: 1, maxLength: 3 }).map(array)
  const all = `(select json_agg(${members('u')}) from unnest(v) u)`
  t.equal(await compare({ type: 'item[]', expected: all }, sample(items)), undefined)
})

function record(fields: readonly (string | null)[]): string {
  const print = (field: string | null) => (field === null ? '' : quote(field))
  return `(${fields.map(print).join(',')})`
}

t.test('ranges and multiranges have the bounds that the server gave them', async (t) => {
  const compare = await againstServer(t, definitions)
  const members = (v: string) => `json_build_object('lower', lower(${v}), 'upper', upper(${v}),
    'lowerInclusive', lower_inc(${v}), 'upperInclusive', upper_inc(${v}), 'empty', isempty(${v}))`
  const bound = fc.option(fc.integer({ min: -100, max: 100 }))
  const range = fc
    .tuple(bound, bound)
    .filter(([low, high]) => low === null || high === null || low <= high)
    .map(([low, high]) => `[${low ?? ''},${high ?? ''})`)
  t.equal(await compare({ type: 'int8range', expected: members('v') }, sample(range)), undefined)
  const ranges = fc.array(range, { maxLength: 4 }).map((list) => `{${list.join(',')}}`)
  const all = `(select coalesce(json_agg(${members('u')}), '[]') from unnest(v) u)`
  t.equal(await compare({ type: 'int8multirange', expected: all }, sample(ranges)), undefined)
  const words = fc
    .tuple(element, element)
    .filter(([low, high]) => low === null || high === null || compareBytes(low, high) <= 0)
    .map((bounds) => `[${bounds.map((text) => (text === null ? '' : quote(text))).join(',')}]`)
  t.equal(await compare({ type: 'words', expected: members('v') }, sample(words)), undefined)
})

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

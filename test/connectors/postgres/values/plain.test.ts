import t from 'tap'
import { plainModes, type ValueModes } from '../../../../connectors/postgres/values/modes.ts'
import { columnEncoder } from '../../../../connectors/postgres/values.ts'
import { encodePlain, encodeWith, numeric, typeNamed } from './encode.ts'

/** type, the server's text, JSON */
const rows: readonly (readonly [string, string, string])[] = [
  ['bool', 't', 'true'],
  ['bool', 'f', 'false'],
  ['int2', '-32768', '-32768'],
  ['int4', '2147483647', '2147483647'],
  ['int8', '9007199254740993', '9007199254740993'],
  ['int8', '-9223372036854775808', '-9223372036854775808'],
  ['oid', '4000000000', '4000000000'],
  ['float4', '3.3', '3.3'],
  ['float8', '1e+300', '1e+300'],
  ['float8', '-0', '-0'],
  ['float8', '5e-324', '5e-324'],
  ['float8', 'NaN', '"NaN"'],
  ['float8', 'Infinity', '"Infinity"'],
  ['float4', '-Infinity', '"-Infinity"'],
  ['numeric', '22.2200', '"22.2200"'],
  ['numeric', '123456789012345678901234567890.5', '"123456789012345678901234567890.5"'],
  ['numeric', 'NaN', '"NaN"'],
  ['numeric', '-Infinity', '"-Infinity"'],
  ['money', '$1,234.11', '"1234.11"'],
  ['money', '-$92,233,720,368,547,758.08', '"-92233720368547758.08"'],
  ['text', 'some "text"\n\\', '"some \\"text\\"\\n\\\\"'],
  ['text', '', '""'],
  ['bpchar', 'abc  ', '"abc  "'],
  ['name', 'a_name', '"a_name"'],
  ['char', 'x', '"x"'],
  ['date', '2017-09-15', '"2017-09-15"'],
  ['date', '0044-03-15 BC', '"-0043-03-15"'],
  ['date', '0001-12-31 BC', '"0000-12-31"'],
  ['date', '10000-01-01 BC', '"-9999-01-01"'],
  ['date', '5874897-12-31', '"+5874897-12-31"'],
  ['date', '-infinity', '"-infinity"'],
  ['time', '04:05:11.789', '"04:05:11.789"'],
  ['time', '24:00:00', '"24:00:00"'],
  ['timetz', '13:51:30.123789+02:30', '"13:51:30.123789+02:30"'],
  ['timetz', '13:51:30-08', '"13:51:30-08:00"'],
  ['timetz', '13:51:30+00:53:28', '"13:51:30+00:53:28"'],
  ['timetz', '24:00:00+00', '"24:00:00+00:00"'],
  ['timestamp', '2016-11-04 13:51:30.123456', '"2016-11-04T13:51:30.123456"'],
  ['timestamp', '2016-11-04 13:51:30', '"2016-11-04T13:51:30"'],
  ['timestamp', '4713-12-31 23:59:59.999999 BC', '"-4712-12-31T23:59:59.999999"'],
  ['timestamp', '294276-12-31 23:59:59.5', '"+294276-12-31T23:59:59.5"'],
  ['timestamp', 'infinity', '"infinity"'],
  ['timestamptz', '2024-01-02 03:04:05.678+00', '"2024-01-02T03:04:05.678Z"'],
  ['timestamptz', '2024-01-02 03:04:05+00', '"2024-01-02T03:04:05Z"'],
  ['timestamptz', '21016-11-04 06:51:30.123456+00', '"+21016-11-04T06:51:30.123456Z"'],
  ['timestamptz', '4714-12-31 23:59:59.999999+00 BC', '"-4713-12-31T23:59:59.999999Z"'],
  ['timestamptz', '-infinity', '"-infinity"'],
  ['timestamptz', '2024-01-01 01:00:00.5+05:30', '"2023-12-31T19:30:00.5Z"'],
  ['timestamptz', '1800-01-01 00:00:00+00:53:28', '"1799-12-31T23:06:32Z"'],
  ['interval', '1 year 2 mons 3 days 04:05:06.78', '"P1Y2M3DT4H5M6.78S"'],
  ['interval', '-1 years -2 mons +3 days -04:05:06.5', '"P-1Y-2M3DT-4H-5M-6.5S"'],
  ['interval', '-00:00:00.5', '"PT-0.5S"'],
  ['interval', '1234:00:01', '"PT1234H1S"'],
  ['interval', '-1 mons', '"P-1M"'],
  ['interval', '00:00:00', '"PT0S"'],
  ['interval', '-infinity', '"-infinity"'],
  ['bytea', '\\x', '""'],
  ['bytea', '\\x00', '"AA=="'],
  ['bytea', '\\x0001', '"AAE="'],
  ['bytea', '\\x00fbff', '"APv/"'],
  ['json', '{"a" : [1,\n 1.50], "a":2}', '{"a" : [1,  1.50], "a":2}'],
  ['json', '\r\n1', '  1'],
  ['jsonb', '{"a": "b\\nc"}', '{"a": "b\\nc"}'],
  ['xml', '<a b="1"/>', '"<a b=\\"1\\"/>"'],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'],
  ['inet', '192.168.2.0/12', '"192.168.2.0/12"'],
  ['bit', '00000000', '"00000000"'],
  ['varbit', '', '""'],
  ['tsvector', "'a':1 'b''c':2", "\"'a':1 'b''c':2\""],
  ['pg_lsn', '16/B374D848', '"16/B374D848"'],
  ['xid8', '12', '"12"'],
  ['xid', '740', '"740"'],
  ['tid', '(0,1)', '"(0,1)"'],
  ['tsquery', "'fat' & 'cat'", "\"'fat' & 'cat'\""],
  ['jsonpath', '$."a"', '"$.\\"a\\""'],
  ['cidr', '192.168.0.1/32', '"192.168.0.1/32"'],
  ['regproc', 'now', '"now"'],
  ['+isbn13', '978-0-393-04002-9', '"978-0-393-04002-9"'],
  ['point', '(1.5,-2e+20)', '{"x":1.5,"y":-2e+20}'],
  ['point', '(NaN,Infinity)', '{"x":"NaN","y":"Infinity"}'],
  ['line', '{1,-1,0.5}', '{"a":1,"b":-1,"c":0.5}'],
  ['lseg', '[(0,0),(0,1)]', '[{"x":0,"y":0},{"x":0,"y":1}]'],
  ['box', '(1,1),(0,0)', '[{"x":1,"y":1},{"x":0,"y":0}]'],
  ['path', '((0,0),(0,1))', '{"closed":true,"points":[{"x":0,"y":0},{"x":0,"y":1}]}'],
  ['path', '[(0,0),(0,1)]', '{"closed":false,"points":[{"x":0,"y":0},{"x":0,"y":1}]}'],
  ['polygon', '((0,0),(0,1),(1,0))', '[{"x":0,"y":0},{"x":0,"y":1},{"x":1,"y":0}]'],
  ['circle', '<(1,2),3>', '{"center":{"x":1,"y":2},"radius":3}'],
  ['+hstore', '"a"=>"1", "b c"=>NULL, "q\\"x"=>"\\\\"', '{"a":"1","b c":null,"q\\"x":"\\\\"}'],
  ['+hstore', '', '{}'],
  ['+vector', '[10,2.5,-3e-07]', '[10,2.5,-3e-07]'],
  ['+sparsevec', '{1:201,9:209}/3000', '{"dimensions":3000,"vector":{"1":201,"9":209}}'],
  ['+sparsevec', '{}/3', '{"dimensions":3,"vector":{}}'],
  [
    '+geometry',
    '0101000020730C00001C7C613255DE6540787AA52C435C42C0',
    '{"wkb":"AQEAACBzDAAAHHxhMlXeZUB4eqUsQ1xCwA==","srid":3187}',
  ],
  [
    '+geometry',
    '0101000000000000000000F03F000000000000F03F',
    '{"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAPA/","srid":null}',
  ],
  ['+cube', '(1, 2),(3, 4)', '"(1, 2),(3, 4)"'],
  ['int4[]', '{1,NULL,3}', '[1,null,3]'],
  ['int4[]', '{}', '[]'],
  ['int4[]', '[0:2]={1,2,3}', '[1,2,3]'],
  ['int8[]', '{{9007199254740993,2},{3,4}}', '[[9007199254740993,2],[3,4]]'],
  ['text[]', '{{"{}"}}', '[["{}"]]'],
  ['text[]', '{"NULL",null,NULL,"","a\\"b\\\\"}', '["NULL","null",null,"","a\\"b\\\\"]'],
  ['bool[]', '{t,f}', '[true,false]'],
  ['bpchar[]', '{"cone      "}', '["cone      "]'],
  ['box[]', '{(1,1),(0,0);(2,2),(1,1)}', box('[[1,1,0,0],[2,2,1,1]]')],
  ['money[]', '{"$1,000.00",-$0.50}', '["1000.00","-0.50"]'],
  ['interval[]', '{"1 day"}', '["P1D"]'],
  ['timestamptz[]', '{"2024-01-02 03:04:05+00"}', '["2024-01-02T03:04:05Z"]'],
  ['bytea[]', '{"\\\\x0001"}', '["AAE="]'],
  ['jsonb[]', '{"{\\"a\\": [1, 2]}"}', '[{"a": [1, 2]}]'],
  ['varbit[]', '{101,1}', '["101","1"]'],
  ['int2vector', '1 2 3', '[1,2,3]'],
  ['oidvector', '', '[]'],
  ['int4range', '[1,5)', range('1,5,true,false')],
  ['int4range', '(,5)', range('null,5,false,false')],
  ['numrange', '[1.50,]', range('"1.50",null,true,true')],
  ['int4range', 'empty', range('null,null,false,false', true)],
  [
    'tsrange',
    '["2019-03-31 15:30:00",infinity)',
    range('"2019-03-31T15:30:00","infinity",true,false'),
  ],
  ['int4multirange', '{[1,2),[5,)}', `[${range('1,2,true,false')},${range('5,null,true,false')}]`],
  ['int4multirange', '{}', '[]'],
]

function box(quadruples: string): string {
  const point = (x: number, y: number) => ({ x, y })
  const boxes = JSON.parse(quadruples) as [number, number, number, number][]
  return JSON.stringify(boxes.map(([a, b, c, d]) => [point(a, b), point(c, d)]))
}

function range(parts: string, empty = false): string {
  const [lower, upper, lowerInclusive, upperInclusive] = JSON.parse(`[${parts}]`) as unknown[]
  return JSON.stringify({ lower, upper, lowerInclusive, upperInclusive, empty })
}

t.test('plain values are exact, ISO 8601 and nested', async (t) => {
  for (const [type, text, json] of rows) {
    const encoded = encodePlain(type, text)
    t.equal(encoded, json, `${type} ${text}`)
    t.doesNotThrow(() => JSON.parse(encoded), `${type} ${text} is JSON`)
  }
})

const named = { namespace: 'app', delimiter: ',' }
const mood = { ...named, oid: 1, name: 'mood', kind: 'enum', labels: ['sad', 'ok'] } as const
const price = {
  ...named,
  oid: 2,
  name: 'price',
  kind: 'domain',
  base: typeNamed('numeric'),
  typmod: numeric(8, 2),
} as const
const item = {
  ...named,
  oid: 3,
  name: 'item',
  kind: 'composite',
  fields: [
    { name: 'id', type: typeNamed('int8'), typmod: -1 },
    { name: 'a "name"', type: typeNamed('text'), typmod: -1 },
    { name: 'moods', type: arrayOf(mood), typmod: -1 },
  ],
} as const

function arrayOf(element: Parameters<typeof columnEncoder>[0]) {
  return {
    ...named,
    oid: element.oid + 100,
    name: `_${element.name}`,
    kind: 'array',
    element,
  } as const
}

t.test('types made of others look like what they are made of', async (t) => {
  t.equal(encodePlain(mood, 'ok'), '"ok"')
  t.equal(encodePlain(price, '12.50'), '"12.50"')
  t.equal(encodePlain(arrayOf(price), '{12.50,NULL}'), '["12.50",null]')
  t.equal(
    encodePlain(item, '(9007199254740993,"a""b,\\\\","{sad,ok}")'),
    '{"id":9007199254740993,"a \\"name\\"":"a\\"b,\\\\","moods":["sad","ok"]}',
  )
  t.equal(encodePlain(item, '(,"",)'), '{"id":null,"a \\"name\\"":"","moods":null}')
  t.equal(
    encodePlain(arrayOf(item), '{"(1,\\"a\\"\\"b\\",)"}'),
    '[{"id":1,"a \\"name\\"":"a\\"b","moods":null}]',
  )
})

t.test('a composite keeps fields that the catalog does not know yet', async (t) => {
  t.equal(
    encodePlain({ ...item, fields: item.fields.slice(0, 1) }, '(1,two)'),
    '{"id":1,"f2":"two"}',
  )
  t.equal(encodePlain({ ...item, fields: [] }, '()'), '{}')
})

t.test('a column says what kind of values it has', async (t) => {
  const described = (type: Parameters<typeof columnEncoder>[0], typmod = -1) => {
    const { kind, element, typeName } = columnEncoder(type, typmod, plainModes)!
    return [kind, element, typeName]
  }
  t.same(described(typeNamed('int8')), ['int8', undefined, 'int8'])
  t.same(described(typeNamed('numeric'), numeric(10, 2)), ['decimal', undefined, 'numeric(10,2)'])
  t.same(described(typeNamed('numeric'), numeric(3, -2)), ['decimal', undefined, 'numeric(3,-2)'])
  t.same(described(typeNamed('varchar[]'), 29), ['array', 'string', 'varchar(25)[]'])
  t.same(described(arrayOf(mood)), ['array', 'string', 'app.mood[]'])
  t.same(described(price), ['decimal', undefined, 'app.price'])
  t.same(described(typeNamed('timestamptz'), 3), ['timestamptz', undefined, 'timestamptz(3)'])
  t.same(described(typeNamed('bytea')), ['bytes', undefined, 'bytea'])
})

t.test('a mode that is set changes its own types and nothing else', async (t) => {
  const encoded = (type: string, text: string, modes: Partial<ValueModes>) =>
    encodeWith(columnEncoder(typeNamed(type), -1, { ...plainModes, ...modes })!, text)
  t.equal(encoded('numeric', '1.50', { decimal: 'double' }), '1.50')
  t.equal(encoded('money', '$1.00', { moneyFractionDigits: 3 }), '"1.000"')
  t.equal(encoded('timestamp', '1970-01-01 00:00:01', { timePrecision: 'connect' }), '1000')
  t.equal(encoded('date[]', '{1970-01-02}', { timePrecision: 'adaptive' }), '[1]')
  t.equal(encoded('interval', '1 day', { interval: 'numeric' }), '86400000000')
  t.equal(encoded('bytea', '\\x01ff', { binary: 'hex' }), '"01ff"')
  t.equal(encoded('+hstore', '"a"=>NULL', { hstore: 'json' }), '"{\\"a\\":null}"')
  t.equal(encoded('json', '{"a":1}', { decimal: 'double' }), '{"a":1}')
})

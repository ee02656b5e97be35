import t from 'tap'
import { debeziumModes, type ValueModes } from '../../../../connectors/postgres/values/modes.ts'
import { columnEncoder } from '../../../../connectors/postgres/values.ts'
import { encodeDebezium, numeric, typeNamed } from './encode.ts'

type Options = Partial<ValueModes> & { readonly typmod?: number }

/** type, the server's text, JSON, modes that are not the default */
type Case = readonly [string, string, string, Options?]

function check(name: string, cases: readonly Case[]): void {
  t.test(name, async (t) => {
    for (const [type, text, json, options] of cases) {
      t.equal(encodeDebezium(type, text, options), json, `${type} ${text} ${describe(options)}`)
    }
  })
}

function describe(options: Options | undefined): string {
  return options === undefined ? '' : JSON.stringify(options)
}

const string = { decimal: 'string' } as const
const double = { decimal: 'double' } as const

check('decimal.handling.mode decides how numeric and money look', [
  ['numeric', '1.10', '"bg=="', { typmod: numeric(3, 2) }],
  ['numeric', '3.30', '"AUo="', { typmod: numeric(3, 2) }],
  ['numeric', '22.2200', '"A2P4"', { typmod: numeric(6, 4) }],
  ['numeric', '22', '"Fg=="', { typmod: numeric(4, 0) }],
  ['numeric', '-1.00', '"nA=="', { typmod: numeric(4, 2) }],
  ['numeric', '10.1111', '{"scale":4,"value":"AYr3"}'],
  ['numeric', '10', '{"scale":0,"value":"Cg=="}'],
  ['numeric', '1.10', '"1.10"', string],
  ['numeric', '22.2200', '22.2200', double],
  ['numeric', '92233720368547758.07', '92233720368547760', double],
  ['numeric', `1${'0'.repeat(400)}`, '"Infinity"', double],
  ['numeric', 'NaN', '"NAN"', string],
  ['numeric', 'Infinity', '"POSITIVE_INFINITY"', string],
  ['numeric', '-Infinity', '"NEGATIVE_INFINITY"', string],
  ['numeric', 'NaN', '"NaN"', double],
  ['numeric', '-Infinity', '"-Infinity"', double],
  ['numeric', 'NaN', 'null'],
  ['numeric', 'NaN', 'null', { typmod: numeric(3, 2) }],
  ['numeric', '12300', '"ew=="', { typmod: numeric(3, -2) }],
  ['numeric', '0', '"AA=="', { typmod: numeric(3, -2) }],
  ['numeric', '12300', '"12300"', { ...string, typmod: numeric(3, -2) }],
  ['numeric[]', '{1.20,3.40}', '["eA==","AVQ="]', { typmod: numeric(10, 2) }],
  ['numeric[]', '{1.1,2.22}', '[{"scale":1,"value":"Cw=="},{"scale":2,"value":"AN4="}]'],
  ['money', '$1,234.11', '"AeIT"'],
  ['money', '-$1.50', '"/2o="'],
  ['money', '$0.00', '"AA=="'],
  ['money', '$92,233,720,368,547,758.07', '"f/////////8="'],
  ['money', '-$1,234.11', '"-1234.11"', string],
  ['money', '$1,234.11', '1234.11', double],
  ['money', '$1,234.15', '"1234.2"', { ...string, moneyFractionDigits: 1 }],
  ['money', '-$0.95', '"-1.0"', { ...string, moneyFractionDigits: 1 }],
  ['money', '$9.99', '"10"', { ...string, moneyFractionDigits: 0 }],
  ['money', '$1.00', '"1.0000"', { ...string, moneyFractionDigits: 4 }],
])

const mode = (timePrecision: ValueModes['timePrecision'], typmod = -1) => ({
  timePrecision,
  typmod,
})

check('time.precision.mode decides how dates, times and timestamps look', [
  ['timestamp', '2016-11-04 13:51:30.123456', '1478267490123456'],
  ['timestamp', '1936-10-25 22:10:12.608', '-1047174587392000', mode('adaptive', 6)],
  ['timestamp', '21016-11-04 13:51:30.123456', '601060312290123456'],
  ['timestamp', '21016-11-04 13:51:30.124', '601060312290124', mode('adaptive', 3)],
  ['timestamp', '4713-12-31 23:59:59.999999 BC', '-210831897600000001'],
  ['timestamp', 'infinity', '9223372036825200000'],
  ['timestamp', '-infinity', '-9223372036832400000'],
  ['timestamp', '-infinity', '-9223372036832400000', mode('connect')],
  ['timestamp', '1969-12-31 23:59:59.9995', '-1', mode('connect')],
  ['timestamp', '1970-01-01 00:00:00.0015', '1', mode('connect')],
  ['timestamp', '2019-07-09 02:28:57.12', '1562639337120000', mode('microseconds', 2)],
  ['timestamp', '2019-07-09 02:28:57.12', '1562639337120', mode('adaptive_time_microseconds', 2)],
  ['timestamp', '2019-07-09 02:28:57', '1562639337000000000', mode('nanoseconds', 0)],
  ['timestamp', '0044-03-15 00:00:00 BC', '-63517824000000000000', mode('nanoseconds')],
  ['timestamp', 'infinity', '9223372036854775807', mode('nanoseconds')],
  ['timestamp', '-infinity', '-9223372036854775808', mode('nanoseconds')],
  ['timestamp', '2019-07-09 02:28:57.1', '"2019-07-09T02:28:57.1Z"', mode('isostring', 1)],
  ['timestamp', '2019-07-09 02:28:57', '"2019-07-09T02:28:57Z"', mode('isostring')],
  ['timestamp', 'infinity', '"infinity"', mode('isostring')],
  ['date', '2016-11-04', '17109'],
  ['date', '2016-11-04 BC', '-1455184'],
  ['date', '20160-11-04', '6644069'],
  ['date', '1582-10-10', '-141432'],
  ['date', 'infinity', '2147483647'],
  ['date', '-infinity', '-2147483648', mode('connect')],
  ['date', '2017-09-15', '17424', mode('nanoseconds')],
  ['date', '2017-09-15', '"2017-09-15Z"', mode('isostring')],
  ['date', '0044-03-15 BC', '"-0043-03-15Z"', mode('isostring')],
  ['time', '13:51:30', '49890000000'],
  ['time', '04:05:11.789', '14711789', mode('adaptive', 3)],
  ['time', '04:05:11.789', '14711789000', mode('adaptive_time_microseconds', 3)],
  ['time', '04:05:11.789999', '14711789', mode('connect')],
  ['time', '04:05:11.789', '14711789000000', mode('nanoseconds')],
  ['time', '04:05:11.789', '"04:05:11.789Z"', mode('isostring')],
  ['time', '24:00:00', '86400000000'],
  ['time', '24:00:00', '"24:00:00Z"', mode('isostring')],
  ['timetz', '13:51:30.123789+02', '"11:51:30.123789Z"'],
  ['timetz', '04:05:11-08', '"12:05:11Z"', mode('nanoseconds')],
  ['timetz', '01:00:00+02:30', '"22:30:00Z"'],
  ['timetz', '23:00:00-01', '"00:00:00Z"'],
  ['timetz', '24:00:00+00', '"24:00:00Z"'],
  ['timetz[]', '{24:00:00+00,00:00:00+00,NULL}', '["24:00:00Z","00:00:00Z",null]'],
  ['timestamptz', '2016-11-04 11:51:30.123456+00', '"2016-11-04T11:51:30.123456Z"'],
  ['timestamptz', '2016-11-04 11:51:30.12+00', '"2016-11-04T11:51:30.120000Z"', mode('connect')],
  ['timestamptz', '0001-01-31 00:00:00+00', '"0001-01-31T00:00:00.000000Z"'],
  ['timestamptz', '2016-11-04 11:51:30.1+00', '"2016-11-04T11:51:30.100Z"', mode('adaptive', 3)],
  ['timestamptz', '2016-11-04 11:51:30+00', '"2016-11-04T11:51:30Z"', mode('adaptive', 0)],
  ['timestamptz', '21016-11-04 06:51:30.123456+00', '"+21016-11-04T06:51:30.123456Z"'],
  ['timestamptz', '4714-12-31 23:59:59.999999+00 BC', '"-4713-12-31T23:59:59.999999Z"'],
  ['timestamptz', 'infinity', '"infinity"', mode('isostring')],
])

t.test('structured times are one number per part', async (t) => {
  const parsed = (type: string, text: string) =>
    JSON.parse(encodeDebezium(type, text, mode('structured'))) as unknown
  const date = { year: -43, month: 3, day: 15 }
  t.same(parsed('date', '0044-03-15 BC'), { ...date, specialValue: null })
  const time = { hour: 24, minute: 0, second: 0, nanos: 0 }
  t.same(parsed('time', '24:00:00'), { ...time, specialValue: null })
  t.same(parsed('timetz', '04:05:11-08'), {
    hour: 4,
    minute: 5,
    second: 11,
    nanos: 0,
    offsetSeconds: -28_800,
    specialValue: null,
  })
  const clock = { hour: 23, minute: 59, second: 59, nanos: 999_999_000 }
  const last = { year: 294_276, month: 12, day: 31, ...clock }
  t.same(parsed('timestamp', '294276-12-31 23:59:59.999999'), { ...last, specialValue: null })
  t.match(parsed('timestamptz', '-infinity'), { year: null, specialValue: 'NEGATIVE_INFINITY' })
  t.match(parsed('date', 'infinity'), { year: null, specialValue: 'POSITIVE_INFINITY' })
})

check('interval.handling.mode: microseconds, or all parts of a duration', [
  ['interval', '1 year 2 mons 3 days 04:05:06', '37091106000000'],
  ['interval', '1 year', '31557600000000'],
  ['interval', '-00:00:00.5', '-500000'],
  ['interval', '178000000 years', '5617252800000000000000'],
  ['interval', '-infinity', '-9223372036854775808'],
  ['interval', '1 year 2 mons 3 days 04:05:06.78', '"P1Y2M3DT4H5M6.78S"', { interval: 'string' }],
  ['interval', '-00:00:00.5', '"P0Y0M0DT0H0M-0.5S"', { interval: 'string' }],
  ['interval', '00:00:00', '"P0Y0M0DT0H0M0S"', { interval: 'string' }],
])

check('binary.handling.mode decides how bytes look', [
  ['bytea', '\\x010203', '"AQID"'],
  ['bytea', '\\xfbff', '"+/8="', { binary: 'base64' }],
  ['bytea', '\\xfbff', '"-_8="', { binary: 'base64-url-safe' }],
  ['bytea', '\\x010203', '"010203"', { binary: 'hex' }],
  ['bytea[]', '{"\\\\x000102","\\\\x030405"}', '["000102","030405"]', { binary: 'hex' }],
])

check('bit strings are a boolean or little-endian bytes', [
  ['bit', '1', 'true', { typmod: 1 }],
  ['varbit', '0', 'false', { typmod: 1 }],
  ['varbit', '', 'null', { typmod: 1 }],
  ['bit', '101', '"BQ=="', { typmod: 3 }],
  ['bit', '1000000', '"QA=="', { typmod: 7 }],
  ['bit', '1000000', '"QA=="', { typmod: 7, binary: 'hex' }],
  ['varbit', '000000110000001000000001', '"AQID"', { typmod: 24 }],
  ['varbit', '111011010001000110000001000000001', '"AQIj2gE="'],
  ['bit', '00000000', '"AA=="', { typmod: 8 }],
])

check('what Debezium prints as text is text', [
  ['json', '{"bar": "baz"}', '"{\\"bar\\": \\"baz\\"}"'],
  ['jsonb[]', '{"{\\"bar\\": 1}"}', '["{\\"bar\\": 1}"]'],
  ['tsrange', '["2019-03-31 15:30:00",)', '"[\\"2019-03-31 15:30:00\\",)"'],
  ['int4range[]', '{"[1,6)"}', '["[1,6)"]'],
  ['name', 'a', '"a"'],
  ['xml', '<foo/>', '"<foo/>"'],
  ['+citext', 'Hello', '"Hello"'],
  ['+ltree[]', '{Ship.Frigate,Ship.Destroyer}', '["Ship.Frigate","Ship.Destroyer"]'],
  ['+hstore', '"a"=>"1", "b"=>NULL', '"{\\"a\\":\\"1\\",\\"b\\":null}"'],
  ['+hstore', '"a"=>"1", "b"=>NULL', '{"a":"1","b":null}', { hstore: 'map' }],
  ['+hstore[]', '{"\\"a\\"=>NULL"}', '[{"a":null}]', { hstore: 'map' }],
])

check('arrays keep their dimensions and nulls, whatever the element', [
  ['int4[]', '{{1,2},{3,NULL}}', '[[1,2],[3,null]]'],
  ['bit[]', '{101,NULL}', '["BQ==",null]', { typmod: 3 }],
  ['interval[]', '{00:00:01}', '[1000000]'],
  ['money[]', '{$1.00}', '["ZA=="]'],
  ['date[]', '{2016-11-04}', '[17109]'],
  ['int2vector', '1 2', '[1,2]'],
])

check('geometric types are well-known binary', [
  [
    'box',
    '(1,1),(0,0)',
    shape(
      'AQMAAAABAAAABQAAAAAAAAAAAPA/AAAAAAAA8D8AAAAAAADwPwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA8D8AAAAAAADwPwAAAAAAAPA/',
      { type: 'box' },
    ),
  ],
  [
    'lseg',
    '[(0,0),(0,1)]',
    shape('AQIAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA8D8=', { type: 'lseg' }),
  ],
  [
    'path',
    '((0,0),(0,1),(0,2))',
    shape('AQIAAAADAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA8D8AAAAAAAAAAAAAAAAAAABA', {
      type: 'path',
      closed: 'true',
    }),
  ],
  ['polygon', '((0,0),(0,1),(1,0),(0,0))', shape(triangle(), { type: 'polygon' })],
  ['polygon', '((0,0),(0,1),(1,0))', shape(triangle(), { type: 'polygon' })],
  ['circle', '<(1,2),3>', '{"center":{"x":1,"y":2},"radius":3}'],
  ['+geometry', '0101000020730C00001C7C613255DE6540787AA52C435C42C0', postgis()],
])

function shape(wkb: string, extensions: Readonly<Record<string, string>>): string {
  return JSON.stringify({ wkb, srid: null, extensions })
}

function triangle(): string {
  return 'AQMAAAABAAAABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
}

function postgis(): string {
  return '{"wkb":"AQEAACBzDAAAHHxhMlXeZUB4eqUsQ1xCwA==","srid":3187}'
}

const named = { namespace: 'app', delimiter: ',' }
const domain = {
  ...named,
  oid: 1,
  name: 'token',
  kind: 'domain',
  base: typeNamed('text'),
  typmod: -1,
} as const
const unknown = [
  typeNamed('tsquery'),
  typeNamed('pg_lsn'),
  typeNamed('int4multirange'),
  typeNamed('tsquery[]'),
  typeNamed('+cube'),
  { ...named, oid: 2, name: 'pair', kind: 'composite', fields: [] },
  { ...named, oid: 3, name: 'span', kind: 'range', subtype: typeNamed('float8') },
  { ...named, oid: 4, name: '_token', kind: 'array', element: domain },
] as const

t.test('columns of types that Debezium does not know are left out, or bytes', async (t) => {
  for (const type of unknown) t.equal(columnEncoder(type, -1, debeziumModes), null, type.name)
  const includeUnknown = { includeUnknown: true }
  t.equal(encodeDebezium('tsquery', "'fat' <-> 'cat'", includeUnknown), '"J2ZhdCcgPC0+ICdjYXQn"')
  t.equal(
    encodeDebezium('tsquery', "'fat' <-> 'cat'", { ...includeUnknown, binary: 'hex' }),
    '"2766617427203c2d3e202763617427"',
  )
  t.equal(
    encodeDebezium('tsquery', "'fat' <-> 'cat'", { ...includeUnknown, binary: 'base64-url-safe' }),
    '"J2ZhdCcgPC0-ICdjYXQn"',
  )
  t.equal(encodeDebezium(unknown[7], '{bar,baz}', includeUnknown), '["YmFy","YmF6"]')
  t.equal(encodeDebezium(domain, 'foo'), '"foo"')
})

t.test('the placeholder of an unchanged value has the shape of its column', async (t) => {
  const placeholder = debeziumModes.unavailable
  const codes = [...Buffer.from(placeholder)]
  const unavailable = (type: string, modes: Partial<ValueModes> = {}) =>
    JSON.parse(
      columnEncoder(typeNamed(type), -1, { ...debeziumModes, ...modes })!.unavailable.toString(),
    ) as unknown
  t.equal(unavailable('text'), placeholder)
  t.equal(unavailable('jsonb'), placeholder)
  t.same(unavailable('text[]'), [placeholder])
  t.same(unavailable('jsonb[]'), [placeholder])
  t.same(unavailable('int4[]'), codes)
  t.same(unavailable('int8[]'), codes)
  t.same(unavailable('date[]'), codes)
  t.same(unavailable('uuid[]'), ['b68a35a7-17ad-35b3-af2a-ae46edb4545a'])
  t.equal(unavailable('bytea'), Buffer.from(placeholder).toString('base64'))
  t.equal(unavailable('bytea', { binary: 'hex' }), Buffer.from(placeholder).toString('hex'))
  t.same(unavailable('+hstore', { hstore: 'map' }), { [placeholder]: placeholder })
  t.equal(unavailable('+hstore'), JSON.stringify({ [placeholder]: placeholder }))
  t.equal(unavailable('bytea', { unavailable: 'hex:0001' }), 'AAE=')
})

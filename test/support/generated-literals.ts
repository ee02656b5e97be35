import fc from 'fast-check'

/*
 * Literals that Postgres takes for values of its types, the extreme ones among them.
 */

export type Literals = fc.Arbitrary<string>

const either = fc.oneof
const among = fc.constantFrom

/** Mostly what `usual` gives, at times one of `extremes`. */
function or(usual: Literals, ...extremes: readonly string[]): Literals {
  return either({ weight: 4, arbitrary: usual }, { weight: 1, arbitrary: among(...extremes) })
}

function whole(bits: bigint): Literals {
  const [min, max] = [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]
  return or(fc.bigInt({ min, max }).map(String), `${min}`, `${max}`, '0', '-1', '9007199254740993')
}

function natural(max: bigint): Literals {
  return or(fc.bigInt({ min: 0n, max }).map(String), '0', `${max}`)
}

export const boolean = among('t', 'f')
export const int2 = whole(16n).filter((text) => Math.abs(Number(text)) < 2 ** 15)
export const int4 = whole(32n).filter((text) => Math.abs(Number(text)) < 2 ** 31)
export const int8 = whole(64n)
export const unsigned = natural(2n ** 32n - 1n)
export const unsigned64 = natural(2n ** 64n - 1n)

const printDouble = (value: number) => (Object.is(value, -0) ? '-0' : String(value))
export const float8 = or(fc.double().map(printDouble), '1e20', '1e-7', '123456789012345680')
export const float4 = or(fc.float().map(printDouble), '16777217', '1e-45', '3.4028235e38')
const finite = or(
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e100, max: 1e100 }).map(printDouble),
  '0',
  '-1.5',
  '1e30',
)

const digits = (max: number) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: max })
    .map((all) => all.join(''))
const sign = among('', '', '-')
const fraction = fc.option(digits(40), { nil: '' })
export const numeric = or(
  fc
    .tuple(sign, digits(60), fraction)
    .map(([minus, left, right]) => `${minus}${left}${right && '.'}${right}`),
  ...['NaN', 'Infinity', '-Infinity', '0', '0.000', '-0.10', '1e100', '1e-100', '1.50e3'],
  `-${'9'.repeat(5000)}.${'12345'.repeat(1000)}`,
)

/** Of numeric(precision, scale): the scale may be below zero, or above the precision. */
export function scaled(precision: number, scale: number): Literals {
  const max = 10n ** BigInt(precision) - 1n
  return or(
    fc.bigInt({ min: -max, max }).map((value) => `${value}e${-scale}`),
    'NaN',
    '0',
  )
}

export const money = fc
  .tuple(sign, fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))
  .map(([minus, cents]) => `${minus}${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`)

const micros = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999 }), fc.constant(500_000))
const two = (value: number) => String(value).padStart(2, '0')
const clock = fc.tuple(fc.integer({ min: 0, max: 86_399 }), micros).map(([s, us]) => {
  const hms = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60].map(two).join(':')
  return us === 0 ? hms : `${hms}.${String(us).padStart(6, '0')}`
})
export const time = or(clock, '24:00:00', '00:00:00', '23:59:59.999999', '23:59:59.5')

const offset = fc.integer({ min: -57_599, max: 57_599 }).map((seconds) => {
  const s = Math.abs(seconds)
  const parts = [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60]
  return (seconds < 0 ? '-' : '+') + parts.map(two).join(':')
})
const commonOffset = among('+00', '+05:30', '-08', '-03:30', '+14', '+01:00:01', '-15:59:59')
export const timetz = fc.tuple(time, either(offset, commonOffset)).map((parts) => parts.join(''))

/** Julian days are understood by the server, so that no calendar is needed here. */
const julian = (max: number) =>
  either(
    fc.integer({ min: 2_415_021, max: 2_488_070 }),
    fc.integer({ min: 1_721_000, max: 1_722_000 }),
    fc.integer({ min: 2, max }),
  ).map((day) => `J${day}`)
const bothInfinities = ['infinity', '-infinity']
const oldDates = ['0044-03-15 BC', '0001-12-31 BC', '0001-01-01', '4714-11-24 BC', '9999-12-31']
export const date = or(
  julian(2_147_483_492),
  ...[...bothInfinities, ...oldDates, '10000-01-01', '5874897-12-31', '2024-02-29', '1900-02-28'],
)
const extremeMoments = [
  ...[...bothInfinities, '294276-12-31 23:59:59.999999', '10000-01-01 00:00:00'],
  ...['4714-11-24 00:00:00 BC', '0044-03-15 12:00:00.5 BC', '1969-12-31 23:59:59.999999'],
]
export const timestamp = or(
  fc.tuple(julian(109_203_000), clock).map((parts) => parts.join(' ')),
  ...extremeMoments,
)
export const timestamptz = or(
  fc.tuple(julian(109_203_000), clock, offset).map(([day, at, zone]) => `${day} ${at}${zone}`),
  ...extremeMoments,
)

const small = fc.integer({ min: -20_000, max: 20_000 })
export const interval = or(
  fc
    .tuple(
      small,
      small,
      fc.oneof(fc.constant(0n), fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n })),
    )
    .map(([months, days, us]) => `${months} mons ${days} days ${us} microseconds`),
  ...['0', 'infinity', '-infinity', '-00:00:00.000001', '-1 mon 1 day -1 sec', '1 year -1 day'],
  ...['2147483647 mons', '-2147483648 days', '2562047788:00:54.775807', '-11 mons'],
)

const awkward = [
  '',
  ' ',
  'NULL',
  'null',
  '{',
  '}',
  '"',
  '\\',
  ',',
  '(',
  ')',
  '\n',
  '\r\n',
  '\t',
  "'",
]
const word = either(
  among(
    ...awkward,
    '=>',
    ';',
    '\\"',
    '\\\\',
    '[',
    ']',
    '\u2028',
    '\u0001',
    '\u007f',
    '💥',
    'é',
    'ñ ',
  ),
  fc
    .string({ unit: 'binary', maxLength: 10 })
    .map((text) => text.toWellFormed().replaceAll('\0', '')),
)
export const words = either(
  word,
  fc.array(word, { maxLength: 6 }).map((all) => all.join('')),
)
/** At times so long that the value is stored outside of its row. */
export const text = either(
  { weight: 20, arbitrary: words },
  {
    weight: 1,
    arbitrary: fc
      .tuple(words, fc.integer({ min: 2000, max: 9000 }))
      .map(([pattern, length]) => `${pattern}long`.repeat(length).slice(0, length).toWellFormed()),
  },
)
/** At most so many characters. */
export function upTo(length: number): Literals {
  return words.map((value) => [...value].slice(0, length).join(''))
}
export const name = words.filter((value) => Buffer.byteLength(value) < 64)
export const singleChar = among('', 'a', '"', '\\', ' ', ',', '\\200', '\\377')

const bytes = either(
  fc.uint8Array({ maxLength: 9 }),
  fc.uint8Array({ maxLength: 3000, size: 'max' }),
)
export const bytea = bytes.map((value) => `\\x${Buffer.from(value).toString('hex')}`)
const bit = (min: number, max: number) =>
  fc.array(among('0', '1'), { minLength: min, maxLength: max }).map((all) => all.join(''))
export const bits = bit

const isStorable = (json: string) => json.isWellFormed() && !/\\u(0000|d[89a-f])/i.test(json)
const oddJson = [
  '1e400',
  '-0',
  '12345678901234567890.123456789',
  '"\\u00fc\\ud83d\\ude00"',
  '{"a":1,"a":2}',
]
export const jsonb = or(fc.json().filter(isStorable), ...oddJson, '{"after":{},"source":{}}')
export const json = or(
  fc
    .jsonValue()
    .map((value) => JSON.stringify(value, null, 2))
    .filter(isStorable),
  ...[...oddJson, ' { "a" :\r\n[ 1 ,\t2 ] } ', '\n"x"\n'],
)
export const uuid = fc.uuid()
export const inet = or(
  either(
    fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map((parts) => parts.join('/')),
    fc.ipV4(),
    fc.ipV6(),
  ).filter((address) => !/^::|::$/.test(address) || address === '::'),
  ...['::1', '::ffff:1.2.3.4', 'fe80::/10', '0.0.0.0/0'],
)
export const cidr = or(
  fc.ipV4().map((address) => `${address}/32`),
  '10.0.0.0/8',
  '2001:db8::/32',
  '::/0',
)
const hex = (length: number) =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((value) => Buffer.from(value).toString('hex'))
export const macaddr = hex(6)
export const macaddr8 = hex(8)

const point = fc.tuple(finite, finite).map(([x, y]) => `(${x},${y})`)
export const points = or(point, '(NaN,0)', '(Infinity,-Infinity)', '(1e300,-0)')
export const segment = fc.tuple(point, point).map(([a, b]) => `[${a},${b}]`)
export const box = fc.tuple(point, point).map(([a, b]) => `${a},${b}`)
const several = fc.array(point, { minLength: 1, maxLength: 4 }).map((all) => all.join(','))
export const polygon = several.map((all) => `(${all})`)
export const path = either(
  polygon,
  several.map((all) => `[${all}]`),
)
export const line = either(
  fc.tuple(finite, finite).map(([b, c]) => `{1,${b},${c}}`),
  among('{0,1,-0}', '{-1,0,2.5}'),
)
export const circle = fc
  .tuple(point, fc.integer({ min: 0, max: 9999 }))
  .map(([at, r]) => `<${at},${r}>`)
export const vector = (element: Literals) =>
  fc.array(element, { maxLength: 4 }).map((all) => all.join(' '))

const quoted = word
  .filter((value) => value !== '')
  .map((value) => `'${value.replaceAll(/['\\]/g, '$&$&')}'`)
export const tsvector = fc
  .array(
    fc.tuple(quoted, among('', ':1', ':2A,5')).map((parts) => parts.join('')),
    { maxLength: 4 },
  )
  .map((all) => all.join(' '))
export const tsquery = fc
  .tuple(quoted, among('&', '|', '<->', '& !'), quoted)
  .map((parts) => parts.join(' '))
const label = among('a', 'Top', 'x_1', 'B2')
export const ltree = fc.array(label, { maxLength: 5 }).map((all) => all.join('.'))
export const lsn = fc
  .tuple(fc.nat(2 ** 31 - 1), fc.nat(2 ** 31 - 1))
  .map((halves) => halves.map((half) => half.toString(16)).join('/'))
export const tid = fc.tuple(fc.nat(65_535), fc.nat(65_535)).map(([page, row]) => `(${page},${row})`)

/** In the quotes of arrays, composites, ranges and hstore. */
export function quote(value: string | null): string {
  return value === null ? 'NULL' : `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}

export const hstore = fc
  .dictionary(words, fc.option(words), { maxKeys: 4, noNullPrototype: true })
  .map((object) =>
    Object.entries(object)
      .map((entry) => entry.map(quote).join('=>'))
      .join(','),
  )

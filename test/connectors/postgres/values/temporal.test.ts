import fc from 'fast-check'
import t from 'tap'
import { dateOfEpochDay, epochDay } from '../../../../connectors/postgres/values/calendar.ts'
import { encodeDebezium, encodePlain } from './encode.ts'

/*
 * The reference is JavaScript's Date, whose calendar is proleptic Gregorian too, for the years that
 * it has: 271821 BC to 275760.
 */

const second = fc.integer({ min: -8_640_000_000_000, max: 8_640_000_000_000 })
const micros = fc.oneof(
  fc.constantFrom(0, 1, 500_000, 999_999),
  fc.integer({ min: 0, max: 999_999 }),
)

interface Parts {
  readonly year: number
  readonly rest: string
  readonly clock: string
  readonly fraction: string
}

function partsOf(second: number, micros: number): Parts {
  const date = new Date(second * 1000)
  const iso = date.toISOString().replace(/^[+-]?\d+/, '')
  const fraction = String(micros).padStart(6, '0').replace(/0+$/, '')
  return {
    year: date.getUTCFullYear(),
    rest: iso.slice(0, 6),
    clock: iso.slice(7, 15),
    fraction: fraction && `.${fraction}`,
  }
}

/** What timestamp_out prints; `zone` goes before the era. */
function print({ year, rest, clock, fraction }: Parts, zone = ''): string {
  const digits = String(year > 0 ? year : 1 - year).padStart(4, '0')
  return `${digits}${rest} ${clock}${fraction}${zone}${year > 0 ? '' : ' BC'}`
}

function iso({ year, rest, clock, fraction }: Parts): string {
  const sign = year < 0 ? '-' : year > 9999 ? '+' : ''
  return `${sign}${String(Math.abs(year)).padStart(4, '0')}${rest}T${clock}${fraction}`
}

t.test('timestamps of any year are ISO 8601 and count right', async (t) => {
  fc.assert(
    fc.property(second, micros, (second, micros) => {
      const parts = partsOf(second, micros)
      const total = BigInt(second) * 1_000_000n + BigInt(micros)
      const number = (timePrecision: 'adaptive' | 'nanoseconds') =>
        encodeDebezium('timestamp', print(parts), { timePrecision })
      return (
        encodePlain('timestamp', print(parts)) === `"${iso(parts)}"` &&
        encodePlain('timestamptz', print(parts, '+00')) === `"${iso(parts)}Z"` &&
        number('adaptive') === String(total) &&
        number('nanoseconds') === String(total * 1000n)
      )
    }),
    { numRuns: 2000 },
  )
  t.pass('to the microsecond')
})

t.test('milliseconds are rounded down, before 1970 too', async (t) => {
  fc.assert(
    fc.property(second, micros, (second, micros) => {
      const text = print(partsOf(second, micros))
      const millis = BigInt(second) * 1000n + BigInt(Math.floor(micros / 1000))
      return encodeDebezium('timestamp', text, { timePrecision: 'connect' }) === String(millis)
    }),
  )
  t.pass('for any timestamp')
})

t.test('a timestamptz is the same instant, whatever the offset it is printed with', async (t) => {
  const offset = fc.integer({ min: -15 * 60, max: 15 * 60 })
  const safe = fc.integer({ min: -8_000_000_000_000, max: 8_000_000_000_000 })
  fc.assert(
    fc.property(safe, micros, offset, (second, micros, minutes) => {
      const sign = minutes < 0 ? '-' : '+'
      const [hour, minute] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
      const two = (value: number) => String(value).padStart(2, '0')
      const zone = `${sign}${two(hour)}${minute === 0 ? '' : `:${two(minute)}`}`
      const text = print(partsOf(second + minutes * 60, micros), zone)
      return encodePlain('timestamptz', text) === `"${iso(partsOf(second, micros))}Z"`
    }),
  )
  t.pass('for any offset')
})

t.test('a timestamptz has as many digits as its column in Debezium', async (t) => {
  fc.assert(
    fc.property(second, fc.integer({ min: 0, max: 6 }), micros, (second, precision, micros) => {
      const unit = 10 ** (6 - precision)
      const kept = Math.floor(micros / unit) * unit
      const parts = partsOf(second, kept)
      const fraction =
        precision === 0 ? '' : `.${String(kept).padStart(6, '0').slice(0, precision)}`
      const encoded = encodeDebezium('timestamptz', print(parts, '+00'), { typmod: precision })
      return encoded === `"${iso({ ...parts, fraction })}Z"`
    }),
  )
  t.pass('for any precision')
})

t.test('days count right and back over all years of the server', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (day) => {
      const date = new Date(day * 86_400_000)
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + 1]
      const expected = { year, month, day: date.getUTCDate() }
      return epochDay(expected) === day && same(dateOfEpochDay(day), expected)
    }),
  )
  fc.assert(
    fc.property(fc.integer({ min: -2_451_545, max: 2_145_031_948 }), (day) => {
      return epochDay(dateOfEpochDay(day)) === day
    }),
  )
  t.equal(epochDay({ year: 5_874_897, month: 12, day: 31 }), 2_145_042_905, 'the last date')
})

function same(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

t.test('intervals add up', async (t) => {
  const part = fc.integer({ min: -10_000, max: 10_000 })
  const clock = fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n })
  fc.assert(
    fc.property(part, part, clock, (months, days, micros) => {
      const total = BigInt(months) * 2_629_800_000_000n + BigInt(days) * 86_400_000_000n + micros
      return encodeDebezium('interval', printInterval(months, days, micros)) === String(total)
    }),
  )
  t.pass('whatever the signs')
})

/** What interval_out prints, with the plus signs that it puts after a negative part. */
function printInterval(months: number, days: number, micros: bigint): string {
  const positive = micros < 0n ? -micros : micros
  const seconds = positive / 1_000_000n
  const two = (value: bigint) => String(value).padStart(2, '0')
  const fraction = String(positive % 1_000_000n).padStart(6, '0')
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`
  const parts = [`${months} mons`, `${days > 0 && months < 0 ? '+' : ''}${days} days`]
  return [...parts, `${micros < 0n ? '-' : ''}${clock}.${fraction}`].join(' ')
}

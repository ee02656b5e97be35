import {
  epochDay,
  epochSecond,
  isInfinite,
  isNegative,
  parseClock,
  parseDate,
  parseMoment,
  secondOfDay,
} from './calendar.ts'
import { writeDigits, writeScaled } from './digits.ts'
import type { Encoding, ValueEncoder } from './encoder.ts'
import type { ValueModes } from './modes.ts'
import { structuredEncodings } from './structured-times.ts'
import {
  clockOfSecond,
  paddedTimestampEncoder,
  writeClock,
  writeDate,
  writeInstant,
} from './temporal.ts'
import { encodeBareText } from './text.ts'

/*
 * Debezium's `time.precision.mode`. Numbers count from 1970 or from midnight; timestamptz and
 * timetz are strings in UTC whatever the mode (`structured` aside).
 */

type TemporalType = 'date' | 'time' | 'timetz' | 'timestamp' | 'timestamptz'

/** Digits of a second that a number counts: milli-, micro- or nanoseconds. */
type Places = 3 | 6 | 9

/** `precision`: the digits of a second's fraction that the column keeps. */
export function debeziumTemporal(
  type: TemporalType,
  precision: number,
  mode: ValueModes['timePrecision'],
): Encoding {
  if (mode === 'structured') return structuredEncodings[type]
  switch (type) {
    case 'date':
      return mode === 'isostring' ? isoDate : dayNumber
    case 'time':
      return mode === 'isostring' ? isoTime : timeNumber(timePlaces(mode, precision))
    case 'timestamp':
      return mode === 'isostring' ? isoTimestamp : timestampNumber(timestampPlaces(mode, precision))
    case 'timetz':
      return zonedTime
    case 'timestamptz':
      return { kind: 'timestamptz', encode: paddedTimestampEncoder(precision) }
  }
}

const quote = 0x22

/** 1970-01-01 is 0. The infinities are the server's own: the ends of a 32-bit integer. */
const encodeDayNumber: ValueEncoder = (out, input, start, end) => {
  if (!isInfinite(input, start, end))
    return writeDigits(out, epochDay(parseDate(input, start, end)))
  out.ascii(isNegative(input, start) ? '-2147483648' : '2147483647')
}
const dayNumber: Encoding = { kind: 'number', encode: encodeDayNumber }

/** `2017-09-15Z` */
const encodeIsoDate: ValueEncoder = (out, input, start, end) => {
  if (isInfinite(input, start, end)) return encodeBareText(out, input, start, end)
  out.byte(quote)
  writeDate(out, parseDate(input, start, end))
  out.byte(0x5a)
  out.byte(quote)
}
const isoDate: Encoding = { kind: 'string', encode: encodeIsoDate }

function timePlaces(mode: ValueModes['timePrecision'], precision: number): Places {
  if (mode === 'nanoseconds') return 9
  if (mode === 'connect') return 3
  return mode === 'adaptive' && precision <= 3 ? 3 : 6
}

function timestampPlaces(mode: ValueModes['timePrecision'], precision: number): Places {
  if (mode === 'nanoseconds') return 9
  if (mode === 'microseconds') return 6
  return mode !== 'connect' && precision > 3 ? 6 : 3
}

function timeNumber(places: Places): Encoding {
  const encode: ValueEncoder = (out, input, start, end) => {
    const clock = parseClock(input, start, end)
    writeScaled(out, { seconds: secondOfDay(clock), nanos: clock.micros * 1000 }, places)
  }
  return { kind: 'number', encode }
}

/** `04:05:11.789Z` */
const encodeIsoTime: ValueEncoder = (out, input, start, end) => {
  out.byte(quote)
  out.copy(input, start, end)
  out.byte(0x5a)
  out.byte(quote)
}
const isoTime: Encoding = { kind: 'string', encode: encodeIsoTime }

/** The Java driver's constants for the infinities; nanoseconds have the ends of 64 bits. */
const infinities = {
  3: ['9223372036825200000', '-9223372036832400000'],
  6: ['9223372036825200000', '-9223372036832400000'],
  9: ['9223372036854775807', '-9223372036854775808'],
} as const

function timestampNumber(places: Places): Encoding {
  const [infinity, minusInfinity] = infinities[places]
  const encode: ValueEncoder = (out, input, start, end) => {
    if (isInfinite(input, start, end)) {
      return out.ascii(isNegative(input, start) ? minusInfinity : infinity)
    }
    const moment = parseMoment(input, start, end)
    const nanos = moment.clock.micros * 1000
    writeScaled(out, { seconds: epochSecond(moment), nanos }, places)
  }
  return { kind: 'int8', encode }
}

/** `2019-07-09T02:28:57.1Z`; the zone is Debezium's addition. */
const encodeIsoTimestamp: ValueEncoder = (out, input, start, end) => {
  if (isInfinite(input, start, end)) return encodeBareText(out, input, start, end)
  const moment = parseMoment(input, start, end)
  out.byte(quote)
  writeInstant(out, { second: epochSecond(moment), micros: moment.clock.micros })
  out.byte(quote)
}
const isoTimestamp: Encoding = { kind: 'timestamp', encode: encodeIsoTimestamp }

/** `11:51:30.123789Z`: moved to UTC, around midnight if need be. 24:00:00 at UTC itself stays. */
const encodeZonedTime: ValueEncoder = (out, input, start, end) => {
  const clock = parseClock(input, start, end)
  const second = secondOfDay(clock) - clock.offsetSeconds
  const wrapped = second === 86_400 && clock.offsetSeconds === 0 ? second : modulo(second, 86_400)
  out.byte(quote)
  writeClock(out, clockOfSecond(wrapped, clock.micros))
  out.byte(0x5a)
  out.byte(quote)
}
const zonedTime: Encoding = { kind: 'time', encode: encodeZonedTime }

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by
}

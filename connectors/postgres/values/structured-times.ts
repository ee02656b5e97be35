import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import {
  type CalendarDate,
  type Clock,
  isInfinite,
  isNegative,
  parseClock,
  parseDate,
  parseMoment,
} from './calendar.ts'
import type { Encoding, ValueEncoder } from './encoder.ts'

/*
 * Debezium's `structured` time precision: one number per part, and `specialValue` for the
 * infinities, whose parts are all null.
 */

const dateNames = ['year', 'month', 'day']
const clockNames = ['hour', 'minute', 'second', 'nanos']

const encodeDate: ValueEncoder = (out, input, start, end) => {
  if (isInfinite(input, start, end)) return writeInfinity(out, dateNames, isNegative(input, start))
  writeParts(out, dateNames, dateParts(parseDate(input, start, end)))
}

const encodeTime: ValueEncoder = (out, input, start, end) =>
  writeParts(out, clockNames, clockParts(parseClock(input, start, end)))

const encodeTimeWithZone: ValueEncoder = (out, input, start, end) => {
  const clock = parseClock(input, start, end)
  const names = [...clockNames, 'offsetSeconds']
  writeParts(out, names, [...clockParts(clock), clock.offsetSeconds])
}

const encodeTimestamp: ValueEncoder = (out, input, start, end) => {
  const names = [...dateNames, ...clockNames]
  if (isInfinite(input, start, end)) return writeInfinity(out, names, isNegative(input, start))
  const { date, clock } = parseMoment(input, start, end)
  writeParts(out, names, [...dateParts(date), ...clockParts(clock)])
}

const encodeTimestampWithZone: ValueEncoder = (out, input, start, end) => {
  const names = [...dateNames, ...clockNames, 'offsetSeconds']
  if (isInfinite(input, start, end)) return writeInfinity(out, names, isNegative(input, start))
  const { date, clock } = parseMoment(input, start, end)
  writeParts(out, names, [...dateParts(date), ...clockParts(clock), clock.offsetSeconds])
}

export const structuredEncodings = {
  date: { kind: 'json', encode: encodeDate },
  time: { kind: 'json', encode: encodeTime },
  timetz: { kind: 'json', encode: encodeTimeWithZone },
  timestamp: { kind: 'json', encode: encodeTimestamp },
  timestamptz: { kind: 'json', encode: encodeTimestampWithZone },
} as const satisfies Record<string, Encoding>

function dateParts({ year, month, day }: CalendarDate): readonly number[] {
  return [year, month, day]
}

function clockParts({ hour, minute, second, micros }: Clock): readonly number[] {
  return [hour, minute, second, micros * 1000]
}

function writeParts(out: ByteWriter, names: readonly string[], parts: readonly number[]): void {
  const members = names.map((name, i) => `"${name}":${parts[i]}`)
  out.ascii(`{${members.join(',')},"specialValue":null}`)
}

function writeInfinity(out: ByteWriter, names: readonly string[], negative: boolean): void {
  const members = names.map((name) => `"${name}":null`)
  const special = negative ? 'NEGATIVE_INFINITY' : 'POSITIVE_INFINITY'
  out.ascii(`{${members.join(',')},"specialValue":"${special}"}`)
}

import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import {
  type CalendarDate,
  type Clock,
  dateOfEpochDay,
  epochSecond,
  isInfinite,
  parseDate,
  parseMoment,
} from './calendar.ts'
import { writePadded } from './digits.ts'
import type { ValueEncoder } from './encoder.ts'
import { encodeBareText } from './text.ts'

/*
 * ISO 8601, rearranged from the server's own bytes: `2024-01-02 03:04:05.678+00` becomes
 * `2024-01-02T03:04:05.678Z`. Years before 1 are astronomical (`-0043` is 44 BC), years after 9999
 * have a sign, 24:00:00 stays, the infinities keep their names.
 */

const quote = 0x22
const plus = 0x2b
const zero = 0x30

/** `2024-01-02` */
export const encodeDate: ValueEncoder = (out, input, start, end) => {
  if (end - start === 10 || isInfinite(input, start, end)) {
    return encodeBareText(out, input, start, end)
  }
  out.byte(quote)
  writeDate(out, parseDate(input, start, end))
  out.byte(quote)
}

/** `03:04:05.678`; no zone, and none is added. */
export const encodeTime: ValueEncoder = encodeBareText

/** `03:04:05.678+02:00`: the value's own offset, with minutes as ISO 8601 wants them. */
export const encodeTimeWithZone: ValueEncoder = (out, input, start, end) => {
  const offset = input[end - 3]!
  const hoursOnly = offset === plus || offset === 0x2d
  out.reserve(end - start + 5)
  out.byte(quote)
  out.copy(input, start, end)
  if (hoursOnly) out.ascii(':00')
  out.byte(quote)
}

/** `2024-01-02T03:04:05.678`: no zone, for it has none. */
export const encodeTimestamp: ValueEncoder = (out, input, start, end) => {
  if (end - start >= 19 && input[start + 10] === 0x20 && input[end - 1] !== 0x43) {
    return copyMoment(out, input, start, end)
  }
  encodeUnusualTimestamp(out, input, start, end)
}

/** `2024-01-02T03:04:05.678Z` */
export const encodeTimestampWithZone: ValueEncoder = (out, input, start, end) => {
  if (isUsualInUtc(input, start, end)) {
    copyMoment(out, input, start, end - 3)
    out.bytes[out.at - 1] = 0x5a
    out.byte(quote)
  } else encodeUnusualTimestampWithZone(out, input, start, end)
}

/** The same with exactly `precision` digits of fraction; the server prints no more than that. */
export function paddedTimestampEncoder(precision: number): ValueEncoder {
  const width = precision === 0 ? secondsWidth : secondsWidth + 1 + precision
  return (out, input, start, end) => {
    if (isInfinite(input, start, end)) return encodeBareText(out, input, start, end)
    if (!isUsualInUtc(input, start, end)) {
      const moment = parseMoment(input, start, end)
      out.byte(quote)
      writeInstant(out, { second: epochSecond(moment), micros: moment.clock.micros }, precision)
      out.byte(quote)
      return
    }
    copyMoment(out, input, start, end - 3)
    out.reserve(precision + 3)
    const { bytes } = out
    // Over the closing quote; without a fraction the point is missing too.
    let at = out.at - 1
    let given = end - 3 - start
    if (given === secondsWidth && width > given) {
      bytes[at++] = 0x2e
      given++
    }
    for (; given < width; given++) bytes[at++] = zero
    bytes[at++] = 0x5a
    bytes[at++] = quote
    out.at = at
  }
}

/** `2024-01-02 03:04:05` */
const secondsWidth = 19

/** A year of four digits, or a sign and at least four. */
export function writeYear(out: ByteWriter, year: number): void {
  if (year < 0) out.byte(0x2d)
  else if (year > 9999) out.byte(plus)
  const digits = Math.abs(year)
  writePadded(out, digits, Math.max(4, String(digits).length))
}

export function writeDate(out: ByteWriter, { year, month, day }: CalendarDate): void {
  writeYear(out, year)
  out.byte(0x2d)
  writePadded(out, month, 2)
  out.byte(0x2d)
  writePadded(out, day, 2)
}

/** `precision` digits of fraction, or as many as are not zeros. */
export function writeClock(out: ByteWriter, clock: Clock, precision?: number): void {
  writePadded(out, clock.hour, 2)
  out.byte(0x3a)
  writePadded(out, clock.minute, 2)
  out.byte(0x3a)
  writePadded(out, clock.second, 2)
  let places = precision ?? 6
  let fraction = Math.floor(clock.micros / 10 ** (6 - places))
  if (precision === undefined) {
    for (; places > 0 && fraction % 10 === 0; places--) fraction /= 10
  }
  if (places === 0) return
  out.byte(0x2e)
  writePadded(out, fraction, places)
}

/** Date and time of an instant, in UTC. */
export function writeInstant(
  out: ByteWriter,
  { second, micros }: { readonly second: number; readonly micros: number },
  precision?: number,
): void {
  const day = Math.floor(second / 86_400)
  const rest = second - day * 86_400
  writeDate(out, dateOfEpochDay(day))
  out.byte(0x54)
  writeClock(out, clockOfSecond(rest, micros), precision)
  out.byte(0x5a)
}

export function clockOfSecond(second: number, micros: number): Clock {
  return {
    hour: Math.floor(second / 3600),
    minute: Math.floor(second / 60) % 60,
    second: second % 60,
    micros,
    offsetSeconds: 0,
  }
}

/** A year of four digits AD and the offset of UTC, as nearly all timestamps are. */
function isUsualInUtc(input: Buffer, start: number, end: number): boolean {
  return (
    end - start >= 22 &&
    input[start + 10] === 0x20 &&
    input[end - 3] === plus &&
    input[end - 2] === zero &&
    input[end - 1] === zero
  )
}

function copyMoment(out: ByteWriter, input: Buffer, start: number, end: number): void {
  // Two bytes for quotes, one for the `Z` that may replace the second.
  out.reserve(end - start + 3)
  const { bytes } = out
  let at = out.at
  bytes[at] = quote
  const shift = ++at - start
  for (let i = start; i < end; i++) bytes[at++] = input[i]!
  bytes[start + 10 + shift] = 0x54
  bytes[at++] = quote
  out.at = at
}

/** BC, five digits of year and more, infinities. */
const encodeUnusualTimestamp: ValueEncoder = (out, input, start, end) => {
  if (isInfinite(input, start, end)) return encodeBareText(out, input, start, end)
  const { date, clock } = parseMoment(input, start, end)
  out.byte(quote)
  writeDate(out, date)
  out.byte(0x54)
  writeClock(out, clock)
  out.byte(quote)
}

/** The same, and offsets other than zero. */
const encodeUnusualTimestampWithZone: ValueEncoder = (out, input, start, end) => {
  if (isInfinite(input, start, end)) return encodeBareText(out, input, start, end)
  const moment = parseMoment(input, start, end)
  out.byte(quote)
  writeInstant(out, { second: epochSecond(moment), micros: moment.clock.micros })
  out.byte(quote)
}

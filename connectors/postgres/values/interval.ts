import { isInfinite, isNegative, parseClock } from './calendar.ts'
import type { ValueEncoder } from './encoder.ts'
import { encodeBareText } from './text.ts'

/*
 * interval arrives as IntervalStyle postgres: `-1 years -2 mons +3 days -04:05:06.5`. Parts that
 * are zero are left out, each part has its own sign, the clock's sign counts for all of the clock.
 */

interface Interval {
  readonly months: number
  readonly days: number
  readonly negativeClock: boolean
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
  readonly micros: number
}

/** ISO 8601 with the parts that are not zero, as the server's own iso_8601 style: `P1Y2M3DT4H`. */
export const encodeInterval: ValueEncoder = (out, input, start, end) => {
  if (isInfinite(input, start, end)) return encodeBareText(out, input, start, end)
  const { date, clock } = partsOf(parseInterval(input.toString('latin1', start, end)))
  const text = (parts: readonly Part[]) => parts.filter(isPresent).map(describePart).join('')
  const time = text(clock)
  const duration = `P${text(date)}${time === '' ? '' : `T${time}`}`
  out.ascii(duration === 'P' ? '"PT0S"' : `"${duration}"`)
}

/** Debezium's `string`: all parts, also zeros. */
export const encodeIntervalFull: ValueEncoder = (out, input, start, end) => {
  if (isInfinite(input, start, end)) return encodeBareText(out, input, start, end)
  const { date, clock } = partsOf(parseInterval(input.toString('latin1', start, end)))
  out.ascii(`"P${date.map(describePart).join('')}T${clock.map(describePart).join('')}"`)
}

/** Debezium's `numeric`: microseconds, where a month has 30.4375 days. */
export const encodeIntervalMicros: ValueEncoder = (out, input, start, end) => {
  if (isInfinite(input, start, end)) {
    return out.ascii(isNegative(input, start) ? '-9223372036854775808' : '9223372036854775807')
  }
  const interval = parseInterval(input.toString('latin1', start, end))
  const clockSeconds =
    BigInt(interval.hours) * 3600n + BigInt(interval.minutes * 60 + interval.seconds)
  const clock = clockSeconds * 1_000_000n + BigInt(interval.micros)
  const date =
    BigInt(interval.months) * microsPerMonth + BigInt(interval.days) * 86_400n * 1_000_000n
  out.ascii(String(date + (interval.negativeClock ? -clock : clock)))
}

/** 365.25 days / 12 */
const microsPerMonth = 2_629_800n * 1_000_000n

interface Part {
  readonly negative: boolean
  readonly digits: string
  readonly unit: string
}

function partsOf(interval: Interval): { date: readonly Part[]; clock: readonly Part[] } {
  const { months, days, negativeClock: negative, hours, minutes, seconds, micros } = interval
  const fraction = String(micros).padStart(6, '0').replace(/0+$/, '')
  return {
    date: [part(Math.trunc(months / 12), 'Y'), part(months % 12, 'M'), part(days, 'D')],
    clock: [
      { negative, digits: String(hours), unit: 'H' },
      { negative, digits: String(minutes), unit: 'M' },
      { negative, digits: `${seconds}${fraction && `.${fraction}`}`, unit: 'S' },
    ],
  }
}

function part(value: number, unit: string): Part {
  return { negative: value < 0, digits: String(Math.abs(value)), unit }
}

function isPresent({ digits }: Part): boolean {
  return digits !== '0'
}

function describePart(part: Part): string {
  return `${part.negative && isPresent(part) ? '-' : ''}${part.digits}${part.unit}`
}

function parseInterval(text: string): Interval {
  const words = text.split(' ')
  let months = 0
  let days = 0
  let clock = '00:00:00'
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (word.includes(':')) clock = word
    else if (words[++i]!.startsWith('y')) months += Number(word) * 12
    else if (words[i]!.startsWith('m')) months += Number(word)
    else days = Number(word)
  }
  return { months, days, ...parseIntervalClock(clock) }
}

/** `-04:05:06.5`; the hours have any number of digits. */
function parseIntervalClock(text: string) {
  const [hours = '', minutes, rest] = text.replace(/^[+-]/, '').split(':')
  const clock = Buffer.from(`00:${minutes}:${rest}`, 'latin1')
  const { minute, second, micros } = parseClock(clock, 0, clock.length)
  const negativeClock = text.startsWith('-')
  return { negativeClock, hours: Number(hours), minutes: minute, seconds: second, micros }
}

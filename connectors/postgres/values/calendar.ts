/*
 * Dates and times as the server prints them (DateStyle ISO), in the proleptic Gregorian calendar
 * and without any Date, which knows neither years before 1 BC's text nor microseconds:
 *
 *   date       YYYY-MM-DD[ BC]                              the year has four digits or more
 *   clock      HH:MM:SS[.ffffff][±HH[:MM[:SS]]]             24:00:00 is a time of its own
 *   timestamp  YYYY-MM-DD HH:MM:SS[.ffffff][±HH[:MM]][ BC]
 */

export interface CalendarDate {
  /** Astronomical: 1 BC is 0. */
  readonly year: number
  readonly month: number
  readonly day: number
}

export interface Clock {
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly micros: number
  /** East of Greenwich; 0 where none is given. */
  readonly offsetSeconds: number
}

export interface Moment {
  readonly date: CalendarDate
  readonly clock: Clock
}

const dash = 0x2d

/**
 * `infinity` and `-infinity` are values of date, timestamp, timestamptz and interval. Another `y`
 * at the end is that of `1 day`.
 */
export function isInfinite(input: Buffer, start: number, end: number): boolean {
  return end - start >= 8 && input[end - 1] === 0x79 && input[end - 2] === 0x74
}

export function isNegative(input: Buffer, start: number): boolean {
  return input[start] === dash
}

export function parseDate(input: Buffer, start: number, end: number): CalendarDate {
  let year = 0
  let at = start
  while (input[at] !== dash) year = year * 10 + input[at++]! - 0x30
  return {
    year: isBeforeChrist(input, end) ? 1 - year : year,
    month: pair(input, at + 1),
    day: pair(input, at + 4),
  }
}

export function parseMoment(input: Buffer, start: number, end: number): Moment {
  let space = start + 10
  while (input[space] !== 0x20) space++
  const stop = isBeforeChrist(input, end) ? end - 3 : end
  return { date: parseDate(input, start, end), clock: parseClock(input, space + 1, stop) }
}

export function parseClock(input: Buffer, start: number, end: number): Clock {
  let at = start + 8
  let micros = 0
  if (at < end && input[at] === 0x2e) {
    let unit = 100_000
    for (at++; at < end && isDigit(input[at]!); at++, unit /= 10) {
      micros += (input[at]! - 0x30) * unit
    }
  }
  return {
    hour: pair(input, start),
    minute: pair(input, start + 3),
    second: pair(input, start + 6),
    micros,
    offsetSeconds: at < end ? parseOffset(input, at, end) : 0,
  }
}

/** Days since 1970-01-01. Years run from March, so that the leap day is the last of its year. */
export function epochDay({ year, month, day }: CalendarDate): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** The reverse of `epochDay`. */
export function dateOfEpochDay(epoch: number): CalendarDate {
  const days = epoch + 719_468
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  }
}

/** Seconds since midnight, offset not taken into account. */
export function secondOfDay({ hour, minute, second }: Clock): number {
  return hour * 3600 + minute * 60 + second
}

/** Seconds since 1970-01-01T00:00:00Z, without the fraction. */
export function epochSecond({ date, clock }: Moment): number {
  return epochDay(date) * 86_400 + secondOfDay(clock) - clock.offsetSeconds
}

export function pair(input: Buffer, at: number): number {
  return (input[at]! - 0x30) * 10 + input[at + 1]! - 0x30
}

function isBeforeChrist(input: Buffer, end: number): boolean {
  return input[end - 1] === 0x43
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** ±HH[:MM[:SS]] */
function parseOffset(input: Buffer, start: number, end: number): number {
  let seconds = pair(input, start + 1) * 3600
  if (start + 5 < end) seconds += pair(input, start + 4) * 60
  if (start + 8 < end) seconds += pair(input, start + 7)
  return isNegative(input, start) ? -seconds : seconds
}

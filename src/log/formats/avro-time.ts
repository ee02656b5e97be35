/*
 * ISO 8601 text and the numbers that Avro has for it: days, and microseconds, since 1970. Years
 * before 0 and after 9999 have a sign. The infinities become the least and the greatest number, as
 * they are in Postgres.
 */

const int = { least: -(2n ** 31n), greatest: 2n ** 31n - 1n }
const long = { least: -(2n ** 63n), greatest: 2n ** 63n - 1n }
const dayMicros = 86_400_000_000n

/** `2024-01-02` → days since 1970. Throws RangeError if the text is no date. */
export function daysOf(text: string): number {
  const limit = infinity(text, int)
  return Number(limit ?? dayNumber(match(/^([+-]?\d+)-(\d\d)-(\d\d)$/, text)))
}

export function dateOf(days: number): string {
  return infinityName(BigInt(days), int) ?? dateText(BigInt(days))
}

/** `2024-01-02T03:04:05.678` with or without a `Z` → microseconds since 1970. */
export function microsOf(text: string): bigint {
  const limit = infinity(text, long)
  if (limit !== undefined) return limit
  const found = match(/^([+-]?\d+)-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z?$/, text)
  return dayNumber(found) * dayMicros + timeMicrosOf(found[4]!)
}

export function timestampOf(micros: bigint, suffix: '' | 'Z'): string {
  const limit = infinityName(micros, long)
  if (limit !== undefined) return limit
  const time = ((micros % dayMicros) + dayMicros) % dayMicros
  return `${dateText((micros - time) / dayMicros)}T${timeOf(time)}${suffix}`
}

/** `03:04:05.678` → microseconds since midnight. */
export function timeMicrosOf(text: string): bigint {
  const [, hours, minutes, seconds, fraction = ''] = match(
    /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/,
    text,
  )
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'))
}

export function timeOf(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n)
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const fraction = String(micros % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const text = parts.map((part) => String(part).padStart(2, '0')).join(':')
  return fraction === '' ? text : `${text}.${fraction}`
}

/** Days since 1970 in the proleptic Gregorian calendar, counted from 1 March of year 0. */
function dayNumber([, yearText, monthText, dayText]: readonly (string | undefined)[]): bigint {
  const month = Number(monthText)
  const year = BigInt(yearText!) - (month <= 2 ? 1n : 0n)
  const era = floorDiv(year, 400n)
  const yearOfEra = year - era * 400n
  const dayOfYear = BigInt(Math.floor((153 * ((month + 9) % 12) + 2) / 5) + Number(dayText) - 1)
  const dayOfEra = yearOfEra * 365n + yearOfEra / 4n - yearOfEra / 100n + dayOfYear
  return era * 146_097n + dayOfEra - 719_468n
}

function dateText(days: bigint): string {
  const shifted = days + 719_468n
  const era = floorDiv(shifted, 146_097n)
  const dayOfEra = Number(shifted - era * 146_097n)
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524)
  const yearOfEra = Math.floor((dayOfEra - leaps + Math.floor(dayOfEra / 146_096)) / 365)
  const passed = 365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
  const dayOfYear = dayOfEra - passed
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = ((shiftedMonth + 2) % 12) + 1
  const year = era * 400n + BigInt(yearOfEra) + (month <= 2 ? 1n : 0n)
  return `${yearText(year)}-${pad(month)}-${pad(day)}`
}

function yearText(year: bigint): string {
  const digits = String(year < 0n ? -year : year).padStart(4, '0')
  return year < 0n ? `-${digits}` : year > 9999n ? `+${digits}` : digits
}

interface Limits {
  readonly least: bigint
  readonly greatest: bigint
}

function infinity(text: string, { least, greatest }: Limits): bigint | undefined {
  if (text === 'infinity') return greatest
  return text === '-infinity' ? least : undefined
}

function infinityName(value: bigint, { least, greatest }: Limits): string | undefined {
  if (value === greatest) return 'infinity'
  return value === least ? '-infinity' : undefined
}

function match(pattern: RegExp, text: string): readonly (string | undefined)[] {
  const found = pattern.exec(text)
  if (found === null) throw new RangeError(`${JSON.stringify(text)} is no date or time`)
  return found
}

function floorDiv(value: bigint, by: bigint): bigint {
  return value >= 0n ? value / by : -((-value + by - 1n) / by)
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}

import type { Shape } from '../../support/generated-types.ts'
import { parseArray } from './differential-text.ts'
import {
  circleJson,
  coordinates,
  floatJson,
  hstoreJson,
  lineJson,
  printTree,
} from './differential-values.ts'

/*
 * What Debezium's JSON of a value is under its default modes, with columns of unknown types as
 * bytes; computed a second time, with Date, BigInt and regular expressions.
 */

export function debeziumJson(shape: Shape, text: string): string {
  switch (shape.kind) {
    case 'base':
      return debeziumBase(shape.name, shape.modifiers, text)
    case 'enum':
      return JSON.stringify(text)
    case 'domain':
      return debeziumJson(shape.base, text)
    case 'array': {
      const { element } = shape
      const print = (part: string) =>
        element.kind === 'domain' ? textBytes(part) : debeziumJson(element, part)
      return printTree(parseArray(text, shape.delimiter), print)
    }
    case 'range':
      return shape.builtin ? JSON.stringify(text) : textBytes(text)
    case 'composite':
    case 'multirange':
      return textBytes(text)
  }
}

const textBytes = (text: string) => base64(Buffer.from(text))
const base64 = (bytes: Uint8Array) => JSON.stringify(Buffer.from(bytes).toString('base64'))

function debeziumBase(name: string, modifiers: readonly number[], text: string): string {
  const [first, scale] = modifiers
  switch (name) {
    case 'bool':
      return String(text === 't')
    case 'int2':
    case 'int4':
    case 'int8':
    case 'oid':
      return text
    case 'float4':
    case 'float8':
      return floatJson(text)
    case 'numeric':
      return numericJson(text, scale)
    case 'money':
      return numericJson(text.replace(/[$,]/g, ''), 2)
    case 'date':
      return text.endsWith('infinity') ? String(endOf(text, 31n)) : String(dayOf(text))
    case 'time':
      return first !== undefined && first <= 3
        ? String(microsOf(text) / 1000n)
        : String(microsOf(text))
    case 'timetz':
      return JSON.stringify(timeInUtc(text))
    case 'timestamp':
      return timestampJson(text, first ?? 6)
    case 'timestamptz':
      return JSON.stringify(zonedTimestamp(text, first ?? 6))
    case 'interval':
      return text.endsWith('infinity') ? String(endOf(text, 63n)) : String(intervalMicros(text))
    case 'bytea':
      return JSON.stringify(Buffer.from(text.slice(2), 'hex').toString('base64'))
    case 'bit':
    case 'varbit':
      return first === 1 ? bitJson(text) : base64(bitBytes(text))
    case 'hstore':
      return JSON.stringify(hstoreJson(text))
    case 'int2vector':
    case 'oidvector':
      return `[${text.split(' ').join(',')}]`
    default:
      return shapeJson(name, text) ?? (strings.has(name) ? JSON.stringify(text) : textBytes(text))
  }
}

const strings = new Set(
  (
    'text varchar bpchar char name citext json jsonb xml uuid inet cidr macaddr macaddr8 ' +
    'tsvector ltree isbn ean13'
  ).split(' '),
)

/** The ends of a signed number of so many bits and a sign. */
function endOf(text: string, bits: bigint): bigint {
  return text.startsWith('-') ? -(2n ** bits) : 2n ** bits - 1n
}

function numericJson(text: string, scale: number | undefined): string {
  if (!/\d$/.test(text)) return 'null'
  const [whole = '', fraction = ''] = text.split('.')
  if (scale === undefined) {
    return `{"scale":${fraction.length},"value":${unscaled(BigInt(whole + fraction))}}`
  }
  const value = BigInt(whole + fraction.padEnd(Math.max(scale, 0), '0'))
  return unscaled(scale < 0 ? value / 10n ** BigInt(-scale) : value)
}

/** Big-endian two's complement in as few bytes as hold it. */
function unscaled(value: bigint): string {
  let bits = 8
  while (value >= 2n ** BigInt(bits - 1) || value < -(2n ** BigInt(bits - 1))) bits += 8
  const hex = BigInt.asUintN(bits, value)
    .toString(16)
    .padStart(bits / 4, '0')
  return base64(Buffer.from(hex, 'hex'))
}

/** Days since 1970; a Date counts them within 400 years, after which the calendar repeats. */
function dayOf(text: string): bigint {
  const [, year, month, day] = /^(\d+)-(\d\d)-(\d\d)/.exec(text)!
  const astronomical = text.endsWith(' BC') ? 1 - Number(year) : Number(year)
  const cycles = Math.floor((astronomical - 2000) / 400)
  const millis = Date.UTC(astronomical - cycles * 400, Number(month) - 1, Number(day))
  return BigInt(millis / 86_400_000) + BigInt(cycles) * 146_097n
}

/** Microseconds since midnight. */
function microsOf(text: string): bigint {
  const [, h, m, s, f = ''] = /(\d\d):(\d\d):(\d\d)(?:\.(\d+))?/.exec(text)!
  return BigInt(Number(h) * 3600 + Number(m) * 60 + Number(s)) * second + BigInt(f.padEnd(6, '0'))
}

const second = 1_000_000n
const dayMicros = 86_400n * second

function epochMicros(text: string): bigint {
  return dayOf(text) * dayMicros + microsOf(text)
}

function timestampJson(text: string, precision: number): string {
  if (text === 'infinity') return '9223372036825200000'
  if (text === '-infinity') return '-9223372036832400000'
  const micros = epochMicros(text)
  return String(precision <= 3 ? micros / 1000n : micros)
}

function zonedTimestamp(text: string, precision: number): string {
  const [, year, rest, clock, fraction = ''] =
    /^(\d+)(-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00(?: BC)?$/.exec(text) ?? []
  if (year === undefined) return text
  const astronomical = text.endsWith(' BC') ? 1 - Number(year) : Number(year)
  const sign = astronomical < 0 ? '-' : astronomical > 9999 ? '+' : ''
  const date = sign + String(Math.abs(astronomical)).padStart(4, '0') + rest
  return `${date}T${clock}${precision === 0 ? '' : `.${fraction.padEnd(precision, '0')}`}Z`
}

function timeInUtc(text: string): string {
  const [, clock = '', sign, h, m = '0', s = '0'] =
    /^([\d:.]+)([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/.exec(text)!
  const offset = BigInt(Number(h) * 3600 + Number(m) * 60 + Number(s)) * second
  if (offset === 0n) return `${clock}Z`
  const local = microsOf(clock)
  const moved = local + (sign === '+' ? -offset : offset)
  const utc = ((moved % dayMicros) + dayMicros) % dayMicros
  const shown = new Date(Number(utc / 1000n)).toISOString().slice(11, 19)
  const fraction = String(utc % second)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return `${shown}${fraction === '' ? '' : `.${fraction}`}Z`
}

/** A month has 30.4375 days. */
function intervalMicros(text: string): bigint {
  const of = (unit: string) => BigInt(new RegExp(`(-?\\d+) ${unit}s?\\b`).exec(text)?.[1] ?? 0)
  const [, minus, h = '0', m = '0', s = '0', f = ''] =
    /(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?$/.exec(text) ?? []
  const clock =
    (BigInt(h) * 3600n + BigInt(m) * 60n + BigInt(s)) * second + BigInt(f.padEnd(6, '0'))
  const months = of('year') * 12n + of('mon')
  return (months * 487n * dayMicros) / 16n + of('day') * dayMicros + (minus ? -clock : clock)
}

function bitJson(text: string): string {
  return text === '' ? 'null' : String(text === '1')
}

/** The last bit is the lowest of the first byte. */
function bitBytes(text: string): Uint8Array {
  const octets =
    [...text]
      .reverse()
      .join('')
      .match(/.{1,8}/g) ?? []
  return Uint8Array.from(octets, (octet) => Number.parseInt([...octet].reverse().join(''), 2))
}

function shapeJson(name: string, text: string): string | undefined {
  const words = coordinates(text)
  const numbers = words.map((word) => Number(word.replaceAll('"', '')))
  const closed = `,"closed":"${text.startsWith('(')}"`
  const shape = (bytes: Buffer, type: string, more = '') =>
    `{"wkb":${base64(bytes)},"srid":null,"extensions":{"type":"${type}"${more}}}`
  switch (name) {
    case 'point':
      return `{"x":${words[0]},"y":${words[1]},"wkb":${base64(wkb([1], numbers))},"srid":null}`
    case 'line':
      return lineJson(text)
    case 'circle':
      return circleJson(text)
    case 'lseg':
      return shape(wkb([2, 2], numbers), name)
    case 'path':
      return shape(wkb([2, numbers.length / 2], numbers), name, closed)
    case 'box': {
      const [right, top, left, bottom] = numbers as [number, number, number, number]
      const corners = [right, top, right, bottom, left, bottom, left, top, right, top]
      return shape(wkb([3, 1, 5], corners), name)
    }
    case 'polygon': {
      const isClosed = words.at(-2) === words[0] && words.at(-1) === words[1]
      const ring = isClosed ? numbers : [...numbers, ...numbers.slice(0, 2)]
      return shape(wkb([3, 1, ring.length / 2], ring), name)
    }
    default:
      return undefined
  }
}

/** Little-endian well-known binary. */
function wkb(counts: readonly number[], numbers: readonly number[]): Buffer {
  const head = Buffer.from(Uint32Array.from(counts).buffer)
  return Buffer.concat([Buffer.from([1]), head, Buffer.from(Float64Array.from(numbers).buffer)])
}

import type { Shape } from '../../support/generated-types.ts'
import { parseArray, parseFields, parseHstore, parseRange, type Tree } from './differential-text.ts'

/*
 * What the JSON of a value must be, from the server's text of it: computed a second time, with
 * strings and regular expressions instead of bytes, and with nothing of the encoders.
 */

/** JSON of the server's text in `format: plain`. */
export function plainJson(shape: Shape, text: string): string {
  switch (shape.kind) {
    case 'base':
      return plainBase(shape.name, text)
    case 'enum':
      return JSON.stringify(text)
    case 'domain':
      return plainJson(shape.base, text)
    case 'array':
      return printTree(parseArray(text, shape.delimiter), (part) => plainJson(shape.element, part))
    case 'composite': {
      const fields = parseFields(text)
      const members = shape.fields.map(([name, field], i) => {
        const part = fields[i]!
        return `${JSON.stringify(name)}:${part === null ? 'null' : plainJson(field, part)}`
      })
      return `{${members.join(',')}}`
    }
    case 'range':
      return plainRange(shape.subtype, text)
    case 'multirange': {
      const { range } = shape
      const ranges = text.match(/(?:\[|\()(?:"(?:[^"\\]|\\.|"")*"|[^"\])])*(?:\]|\))/g) ?? []
      return `[${ranges.map((part) => plainJson(range, part)).join(',')}]`
    }
  }
}

function plainRange(subtype: Shape, text: string): string {
  const range = parseRange(text)
  const bound = (part: string | null) => (part === null ? 'null' : plainJson(subtype, part))
  const members = [
    `"lower":${bound(range.lower)}`,
    `"upper":${bound(range.upper)}`,
    `"lowerInclusive":${range.lowerInclusive}`,
    `"upperInclusive":${range.upperInclusive}`,
    `"empty":${text === 'empty'}`,
  ]
  return `{${members.join(',')}}`
}

function plainBase(name: string, text: string): string {
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
    case 'money':
      return JSON.stringify(text.replace(/[$,]/g, ''))
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return JSON.stringify(isoMoment(text))
    case 'timetz':
      return JSON.stringify(text.replace(/([+-]\d\d)$/, '$1:00'))
    case 'interval':
      return JSON.stringify(isoInterval(text))
    case 'bytea':
      return JSON.stringify(Buffer.from(text.slice(2), 'hex').toString('base64'))
    case 'json':
    case 'jsonb':
      return text.replace(/[\r\n]/g, ' ')
    case 'hstore':
      return hstoreJson(text)
    case 'int2vector':
    case 'oidvector':
      return `[${text.split(' ').join(',')}]`
    default:
      return plainShape(name, text) ?? JSON.stringify(text)
  }
}

function plainShape(name: string, text: string): string | undefined {
  const numbers = coordinates(text)
  const point = (i: number) => `{"x":${numbers[i]},"y":${numbers[i + 1]}}`
  const points = () => `[${numbers.flatMap((_, i) => (i % 2 === 0 ? [point(i)] : [])).join(',')}]`
  switch (name) {
    case 'point':
      return point(0)
    case 'line':
      return lineJson(text)
    case 'circle':
      return circleJson(text)
    case 'lseg':
    case 'box':
    case 'polygon':
      return points()
    case 'path':
      return `{"closed":${text.startsWith('(')},"points":${points()}}`
    default:
      return undefined
  }
}

export function lineJson(text: string): string {
  const [a, b, c] = coordinates(text)
  return `{"a":${a},"b":${b},"c":${c}}`
}

export function circleJson(text: string): string {
  const [x, y, radius] = coordinates(text)
  return `{"center":{"x":${x},"y":${y}},"radius":${radius}}`
}

export function coordinates(text: string): readonly string[] {
  return text
    .split(/[()[\]{}<>,]+/)
    .filter((part) => part !== '')
    .map(floatJson)
}

export function floatJson(text: string): string {
  return Number.isFinite(Number(text)) ? text : JSON.stringify(text)
}

export function hstoreJson(text: string): string {
  const members = parseHstore(text)
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
}

export function printTree(tree: Tree, print: (text: string) => string): string {
  if (tree === null) return 'null'
  if (typeof tree === 'string') return print(tree)
  return `[${tree.map((part) => printTree(part, print)).join(',')}]`
}

/** The year as ISO 8601 has it, a `T`, and `Z` for the offset, which is that of UTC. */
function isoMoment(text: string): string {
  const [, year, rest, clock, zone, bc] =
    /^(\d+)(-\d\d-\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d+)?)(\+00)?)?( BC)?$/.exec(text) ?? []
  if (year === undefined) return text
  const astronomical = bc === undefined ? Number(year) : 1 - Number(year)
  const sign = astronomical < 0 ? '-' : astronomical > 9999 ? '+' : ''
  const shown = sign + String(Math.abs(astronomical)).padStart(4, '0')
  return `${shown}${rest}${clock === undefined ? '' : `T${clock}`}${zone === undefined ? '' : 'Z'}`
}

function isoInterval(text: string): string {
  if (text.endsWith('infinity')) return text
  const of = (unit: string) => Number(new RegExp(`(-?\\d+) ${unit}s?\\b`).exec(text)?.[1] ?? 0)
  const months = of('year') * 12 + of('mon')
  const [, minus = '', h = '0', m = '0', s = '0', f = ''] =
    /(-?)(\d+):(\d\d):(\d\d)(\.\d+)?$/.exec(text) ?? []
  const part = (value: number | string, unit: string) => (Number(value) === 0 ? '' : value + unit)
  const seconds = Number(s + f) === 0 ? '' : `${minus}${Number(s)}${f}S`
  const date = part(Math.trunc(months / 12), 'Y') + part(months % 12, 'M') + part(of('day'), 'D')
  const hours = part(minus + BigInt(h), 'H')
  const time = hours + part(minus + Number(m), 'M') + seconds
  if (date + time === '') return 'PT0S'
  return `P${date}${time === '' ? '' : `T${time}`}`
}

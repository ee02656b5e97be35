import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import { writeBase64 } from './base64.ts'
import type { ValueEncoder } from './encoder.ts'

/*
 * The built-in geometric types, written by the server as numbers among brackets:
 *
 *   point (x,y)   line {a,b,c}   lseg [(x,y),(x,y)]   box (x,y),(x,y): upper right, lower left
 *   path ((x,y),…) closed, [(x,y),…] open   polygon ((x,y),…)   circle <(x,y),r>
 *
 * Coordinates are floats in the server's shortest digits; they are copied, never computed with.
 */

/** `{"x":1.5,"y":2}` */
export const encodePoint: ValueEncoder = (out, input, start, end) =>
  writePoint(out, coordinates(input, start, end), 0)

/** `{"a":1,"b":-1,"c":0}`, of ax + by + c = 0 */
export const encodeLine: ValueEncoder = (out, input, start, end) => {
  const [a, b, c] = coordinates(input, start, end)
  out.ascii(`{"a":${a},"b":${b},"c":${c}}`)
}

/** `{"center":{"x":1,"y":2},"radius":3}` */
export const encodeCircle: ValueEncoder = (out, input, start, end) => {
  const numbers = coordinates(input, start, end)
  out.ascii('{"center":')
  writePoint(out, numbers, 0)
  out.ascii(`,"radius":${numbers[2]}}`)
}

/** lseg, box and polygon: their points, in the server's order. */
export const encodePoints: ValueEncoder = (out, input, start, end) =>
  writePoints(out, coordinates(input, start, end))

/** `{"closed":true,"points":[…]}` */
export const encodePath: ValueEncoder = (out, input, start, end) => {
  out.ascii(input[start] === 0x28 ? '{"closed":true,"points":' : '{"closed":false,"points":')
  writePoints(out, coordinates(input, start, end))
  out.byte(0x7d)
}

/** Debezium's point: also as well-known binary. */
export const encodePointWkb: ValueEncoder = (out, input, start, end) => {
  const [x, y] = coordinates(input, start, end)
  out.ascii(`{"x":${x},"y":${y},"wkb":"`)
  writeBase64(out, wellKnownBinary('point', doubles([x!, y!])))
  out.ascii('","srid":null}')
}

/** Debezium's lseg, box, path and polygon: well-known binary and what it does not say. */
export function shapeEncoder(type: 'lseg' | 'box' | 'path' | 'polygon'): ValueEncoder {
  return (out, input, start, end) => {
    const numbers = doubles(coordinates(input, start, end))
    out.ascii('{"wkb":"')
    writeBase64(out, shapeBinary(type, numbers))
    const closed = type === 'path' ? `,"closed":"${input[start] === 0x28}"` : ''
    out.ascii(`","srid":null,"extensions":{"type":"${type}"${closed}}}`)
  }
}

/** JSON numbers, or the words for NaN and the infinities in quotes. */
function coordinates(input: Buffer, start: number, end: number): readonly string[] {
  const numbers = input.toString('latin1', start, end).match(/[-+.\w]+/g) ?? []
  return numbers.map((number) => (/\d$/.test(number) ? number : `"${number}"`))
}

function doubles(numbers: readonly string[]): readonly number[] {
  return numbers.map((number) => Number(number.replaceAll('"', '')))
}

function writePoint(out: ByteWriter, numbers: readonly string[], at: number): void {
  out.ascii(`{"x":${numbers[at]},"y":${numbers[at + 1]}}`)
}

function writePoints(out: ByteWriter, numbers: readonly string[]): void {
  out.byte(0x5b)
  for (let i = 0; i < numbers.length; i += 2) {
    if (i > 0) out.byte(0x2c)
    writePoint(out, numbers, i)
  }
  out.byte(0x5d)
}

function shapeBinary(
  type: 'lseg' | 'box' | 'path' | 'polygon',
  numbers: readonly number[],
): Buffer {
  if (type === 'lseg' || type === 'path') return wellKnownBinary('lines', numbers)
  if (type === 'polygon') return wellKnownBinary('polygon', closeRing(numbers))
  const [right = 0, top = 0, left = 0, bottom = 0] = numbers
  const ring = [right, top, right, bottom, left, bottom, left, top, right, top]
  return wellKnownBinary('polygon', ring)
}

function closeRing(numbers: readonly number[]): readonly number[] {
  const [x, y] = numbers
  const closed = numbers.at(-2) === x && numbers.at(-1) === y
  return closed ? numbers : [...numbers, x!, y!]
}

/** byte order (1: little-endian), type, [rings,] [points,] x, y, … */
function wellKnownBinary(type: 'point' | 'lines' | 'polygon', numbers: readonly number[]): Buffer {
  const points = numbers.length / 2
  const counts = { point: [1], lines: [2, points], polygon: [3, 1, points] }[type]
  const bytes = Buffer.alloc(1 + counts.length * 4 + numbers.length * 8)
  bytes[0] = 1
  counts.forEach((count, i) => {
    bytes.writeUInt32LE(count, 1 + i * 4)
  })
  numbers.forEach((number, i) => {
    bytes.writeDoubleLE(number, 1 + counts.length * 4 + i * 8)
  })
  return bytes
}

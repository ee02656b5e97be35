import fc from 'fast-check'
import t from 'tap'
import { encodeDebezium, encodePlain, numeric } from './encode.ts'

interface Decimal {
  readonly unscaled: bigint
  readonly scale: number
}

/** Around powers of 256, where the number of bytes changes, and anywhere. */
const unscaled = fc.oneof(
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc
    .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: -2, max: 2 }), fc.boolean())
    .map(([bytes, near, half]) => {
      const power = 256n ** BigInt(bytes)
      return (half ? power / 2n : power) * (near < 0 ? -1n : 1n) + BigInt(near)
    }),
)
const decimal = fc.record({ unscaled, scale: fc.integer({ min: 0, max: 20 }) })

/** What numeric_out prints. */
function print({ unscaled, scale }: Decimal): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const point = digits.length - scale
  const fraction = scale === 0 ? '' : `.${digits.slice(point)}`
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`
}

/** Big-endian two's complement. */
function readBytes(base64: string): bigint {
  const bytes = Buffer.from(base64, 'base64')
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
}

/** Whether a leading byte only repeats the sign. */
function isShortest(base64: string): boolean {
  const [first, second = first] = Buffer.from(base64, 'base64')
  const { length } = Buffer.from(base64, 'base64')
  return length === 1 || !((first === 0 && second! < 128) || (first === 255 && second! >= 128))
}

t.test('precise keeps every digit, in the fewest bytes', async (t) => {
  fc.assert(
    fc.property(decimal, (value) => {
      const typmod = numeric(1000, value.scale)
      const fixed = JSON.parse(encodeDebezium('numeric', print(value), { typmod })) as string
      const variable = JSON.parse(encodeDebezium('numeric', print(value))) as {
        readonly scale: number
        readonly value: string
      }
      return (
        readBytes(fixed) === value.unscaled &&
        isShortest(fixed) &&
        variable.scale === value.scale &&
        variable.value === fixed
      )
    }),
    { numRuns: 1000 },
  )
  t.pass('for any number')
})

t.test('a negative scale leaves out the zeros that the server prints', async (t) => {
  fc.assert(
    fc.property(unscaled, fc.integer({ min: 1, max: 20 }), (value, zeros) => {
      const text = String(value * 10n ** BigInt(zeros))
      const options = { typmod: numeric(1000, -zeros) }
      return readBytes(JSON.parse(encodeDebezium('numeric', text, options)) as string) === value
    }),
  )
  t.pass('for any number')
})

t.test('double is the nearest double, plain the digits themselves', async (t) => {
  fc.assert(
    fc.property(decimal, (value) => {
      const text = print(value)
      const double = JSON.parse(encodeDebezium('numeric', text, { decimal: 'double' })) as number
      return double === Number(text) && JSON.parse(encodePlain('numeric', text)) === text
    }),
  )
  t.pass('for any number')
})

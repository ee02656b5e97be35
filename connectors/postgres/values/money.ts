import type { ByteWriter } from '../../../src/core/byte-writer.ts'
import type { ValueEncoder } from './encoder.ts'

/*
 * money arrives as `-$1,234.50` (lc_monetary = C).
 */

/** Exact digits in a string: `"-1234.50"`. */
export const encodeMoney: ValueEncoder = (out, input, start, end) => {
  out.byte(0x22)
  writeAmount(out, input, start, end)
  out.byte(0x22)
}

/** The amount with as many decimals as Debezium was told, through the encoder of a numeric. */
export function moneyEncoder(fractionDigits: number, decimal: ValueEncoder): ValueEncoder {
  return (out, input, start, end) => {
    const amount = Buffer.from(rescale(plainAmount(input, start, end), fractionDigits), 'latin1')
    decimal(out, amount, 0, amount.length)
  }
}

function isAmount(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2e || byte === 0x2d
}

function writeAmount(out: ByteWriter, input: Buffer, start: number, end: number): void {
  for (let i = start; i < end; i++) if (isAmount(input[i]!)) out.byte(input[i]!)
}

function plainAmount(input: Buffer, start: number, end: number): string {
  return input.toString('latin1', start, end).replaceAll(/[^0-9.-]/g, '')
}

/** Rounds halves away from zero. */
function rescale(amount: string, places: number): string {
  const [whole = '', fraction = ''] = amount.split('.')
  if (fraction.length <= places) {
    const padded = fraction.padEnd(places, '0')
    return places === 0 ? whole : `${whole}.${padded}`
  }
  const digits = BigInt(whole.replace('-', '') + fraction.slice(0, places))
  const rounded = String(digits + (fraction[places]! >= '5' ? 1n : 0n)).padStart(places + 1, '0')
  const sign = whole.startsWith('-') ? '-' : ''
  if (places === 0) return sign + rounded
  return `${sign}${rounded.slice(0, -places)}.${rounded.slice(-places)}`
}

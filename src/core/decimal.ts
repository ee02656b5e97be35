/**
 * An exact decimal number: what `numeric` is in Postgres, whose rules for the digits behind the
 * point it follows (`numeric.c`): a sum has as many as the longer operand, a product as many as
 * both together, a quotient at least 16 significant digits.
 */
export class Decimal {
  /** The value times 10^scale. */
  readonly #digits: bigint
  /** How many digits stand behind the point. */
  readonly #scale: number

  private constructor(digits: bigint, scale: number) {
    this.#digits = digits
    this.#scale = scale
  }

  /** Of an integer, a finite double (its shortest text) or digits; `undefined`: it is no number. */
  static of(value: string | number | bigint): Decimal | undefined {
    if (typeof value === 'bigint') return new Decimal(value, 0)
    const match = written.exec(String(value))
    if (match === null) return undefined
    const [, sign, whole = '', fraction = '', exponent = '0'] = match
    const scale = fraction.length - Number(exponent)
    const digits = BigInt(`${whole}${fraction}` || '0') * (sign === '-' ? -1n : 1n)
    if (Math.abs(scale) > maxScale) return undefined
    return scale >= 0 ? new Decimal(digits, scale) : new Decimal(digits * power(-scale), 0)
  }

  plus(other: Decimal): Decimal {
    const scale = Math.max(this.#scale, other.#scale)
    return new Decimal(this.#at(scale) + other.#at(scale), scale)
  }

  minus(other: Decimal): Decimal {
    return this.plus(other.negated())
  }

  times(other: Decimal): Decimal {
    return new Decimal(this.#digits * other.#digits, this.#scale + other.#scale)
  }

  /** Rounded half away from zero. Throws a RangeError for a division by zero. */
  over(other: Decimal): Decimal {
    if (other.#digits === 0n) throw new RangeError('division by zero')
    const scale = quotientScale(this, other)
    const shift = scale + other.#scale - this.#scale
    const numerator = shift >= 0 ? this.#digits * power(shift) : this.#digits
    const denominator = shift >= 0 ? other.#digits : other.#digits * power(-shift)
    return new Decimal(divideRounded(numerator, denominator), scale)
  }

  /** With the sign of this number, as in SQL. */
  remainder(other: Decimal): Decimal {
    if (other.#digits === 0n) throw new RangeError('division by zero')
    const scale = Math.max(this.#scale, other.#scale)
    return new Decimal(this.#at(scale) % other.#at(scale), scale)
  }

  negated(): Decimal {
    return new Decimal(-this.#digits, this.#scale)
  }

  /** With so many digits behind the point, rounded half away from zero. */
  rounded(scale: number): Decimal {
    if (scale >= this.#scale) return new Decimal(this.#at(scale), scale)
    return new Decimal(divideRounded(this.#digits, power(this.#scale - scale)), scale)
  }

  /** Below 0, 0 or above 0, as this number is smaller, equal or greater. */
  compare(other: Decimal): number {
    const scale = Math.max(this.#scale, other.#scale)
    const [a, b] = [this.#at(scale), other.#at(scale)]
    return a < b ? -1 : a > b ? 1 : 0
  }

  toString(): string {
    const sign = this.#digits < 0n ? '-' : ''
    const digits = String(this.#digits < 0n ? -this.#digits : this.#digits)
    if (this.#scale === 0) return sign + digits
    const padded = digits.padStart(this.#scale + 1, '0')
    const point = padded.length - this.#scale
    return `${sign}${padded.slice(0, point)}.${padded.slice(point)}`
  }

  /** Digits in a string, as rows hold decimals. */
  toJSON(): string {
    return this.toString()
  }

  /** Where Postgres sees the leading group of four digits, and that group. */
  get lead(): { readonly weight: number; readonly group: bigint } {
    const digits = this.#digits < 0n ? -this.#digits : this.#digits
    if (digits === 0n) return { weight: 0, group: 0n }
    const weight = Math.floor((String(digits).length - this.#scale - 1) / 4)
    const shift = this.#scale + 4 * weight
    return { weight, group: shift >= 0 ? digits / power(shift) : digits * power(-shift) }
  }

  get scale(): number {
    return this.#scale
  }

  #at(scale: number): bigint {
    return scale === this.#scale ? this.#digits : this.#digits * power(scale - this.#scale)
  }
}

const written = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/
/** What Postgres takes behind the point. */
const maxScale = 16_383

/** `select_div_scale` of Postgres's numeric.c. */
function quotientScale(a: Decimal, b: Decimal): number {
  const [above, below] = [a.lead, b.lead]
  const weight = above.weight - below.weight - (above.group <= below.group ? 1 : 0)
  return Math.min(Math.max(16 - weight * 4, a.scale, b.scale, 0), 1_000)
}

function divideRounded(numerator: bigint, denominator: bigint): bigint {
  const isNegative = numerator < 0n !== denominator < 0n
  const [n, d] = [abs(numerator), abs(denominator)]
  const quotient = (2n * n + d) / (2n * d)
  return isNegative ? -quotient : quotient
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value
}

function power(exponent: number): bigint {
  return 10n ** BigInt(exponent)
}

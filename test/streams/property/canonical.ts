/**
 * A JSON text with its members in order and every number written in one way, so that two texts are
 * equal if they say the same. Integers keep all digits.
 */
export function canonical(json: string): string {
  return write(JSON.parse(json, exact))
}

class Digits {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const integer = /^-?\d+$/

function exact(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number') return value
  const source = context?.source ?? String(value)
  return new Digits(integer.test(source) ? String(BigInt(source)) : String(value))
}

function write(value: unknown): string {
  if (value instanceof Digits) return value.text
  if (Array.isArray(value)) return `[${value.map(write).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${write(each)}`).join()}}`
}

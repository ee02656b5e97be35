/*
 * The server's notations for values made of values, read character by character.
 */

/** An array's elements, nested as deep as it has dimensions; `null` is NULL. */
export type Tree = string | null | readonly Tree[]

export function parseArray(text: string, delimiter: string): Tree {
  let at = text.startsWith('[') ? text.indexOf('=') + 1 : 0
  return read()

  function read(): Tree {
    if (text[at] === '{') return readList()
    if (text[at] === '"') return readString()
    const start = at
    while (text[at] !== delimiter && text[at] !== '}') refuseEnd(text, at++)
    const word = text.slice(start, at)
    return word === 'NULL' ? null : word
  }

  function readList(): Tree {
    const list: Tree[] = []
    at++
    while (text[at] !== '}') {
      refuseEnd(text, at)
      if (text[at] === delimiter) at++
      list.push(read())
    }
    at++
    return list
  }

  function readString(): string {
    const { value, end } = unquote(text, at)
    at = end
    return value
  }
}

/** A composite's fields. */
export function parseFields(text: string): readonly (string | null)[] {
  const fields: (string | null)[] = []
  for (let at = 0; text[at] !== ')'; ) {
    refuseEnd(text, at++) // The parenthesis or a comma.
    const { value, end } = readPart(text, at, ',)')
    fields.push(value)
    at = end
  }
  return fields
}

export interface ParsedRange {
  readonly lower: string | null
  readonly upper: string | null
  readonly lowerInclusive: boolean
  readonly upperInclusive: boolean
}

export function parseRange(text: string): ParsedRange {
  if (text === 'empty') {
    return { lower: null, upper: null, lowerInclusive: false, upperInclusive: false }
  }
  const lower = readPart(text, 1, ',)]')
  const upper = readPart(text, lower.end + 1, ',)]')
  const [lowerInclusive, upperInclusive] = [text.startsWith('['), text.endsWith(']')]
  return { lower: lower.value, upper: upper.value, lowerInclusive, upperInclusive }
}

export function parseHstore(text: string): readonly (readonly [string, string | null])[] {
  const members: [string, string | null][] = []
  for (let at = 0; at < text.length; at += ', '.length) {
    const key = unquote(text, at)
    at = key.end + '=>'.length
    const isNull = text.startsWith('NULL', at)
    const value = isNull ? { value: null, end: at + 4 } : unquote(text, at)
    members.push([key.value, value.value])
    at = value.end
  }
  return members
}

/** A field or a bound: nothing at all, or text up to one of the characters in `stops`. */
function readPart(text: string, at: number, stops: string): { value: string | null; end: number } {
  if (text[at] === '"') return unquote(text, at)
  let end = at
  while (!stops.includes(text[end] ?? ' ')) refuseEnd(text, end++)
  return { value: end === at ? null : text.slice(at, end), end }
}

/** Undoes a backslash before a character, and a doubled quote. */
function unquote(text: string, start: number): { value: string; end: number } {
  let value = ''
  for (let at = start + 1; ; at++) {
    refuseEnd(text, at)
    if (text[at] === '\\') value += text[++at]
    else if (text[at] !== '"') value += text[at]
    else if (text[at + 1] === '"') value += text[++at]
    else return { value, end: at + 1 }
  }
}

function refuseEnd(text: string, at: number): void {
  if (at >= text.length) throw new Error(`ends too early: ${text}`)
}

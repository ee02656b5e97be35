/*
 * The id under which a target keeps a record: made of the record's key alone, so that every record
 * of a key meets the same document, and two keys never do.
 *
 *   {"id":1}               1            a single column is its text, verbatim
 *   {"a":"x","b":"y/z%"}   x/y%2Fz%25   several are joined by "/", with "%" and "/" escaped
 *   "x"                    x            a bare scalar is its text
 *
 * SQL's NULL is U+0000, which no Postgres text contains.
 */
import { z } from 'zod'
import { MillraceError } from './errors.ts'
import { endOfValue, skipSpace } from './json-scan.ts'

/** Makes an id of a record's key. Throws SyntaxError if the key is not JSON. */
export type IdOf = (key: Uint8Array) => string

/** The id of a key when no template says otherwise. */
export const keyId: IdOf = (key) => {
  const columns = readKey(key)
  if (columns.length === 1) return columns[0]!.text
  return columns.map(({ text }) => escapeText(text, '/')).join('/')
}

/**
 * Reads a template such as `order:{id}` or `{shop}/{id}`, filled from the key's columns; `{{` and
 * `}}` stand for braces. Throws SyntaxError on a template by which two keys could share an id.
 *
 * The function it returns throws CONFIG_INVALID if the key's columns are not those of the template.
 */
export function idTemplate(template: string): IdOf {
  const { columns, fill } = textTemplate(template)
  const head = Buffer.from(`{${JSON.stringify(columns[0])}:`)
  return (key) => {
    const only = columns.length === 1 ? plainValue(key, head) : undefined
    return fill(only === undefined ? valuesOf(key, columns, template) : [only])
  }
}

/** A template's columns, in the order in which their values fill it. */
export interface TextTemplate {
  readonly columns: readonly string[]
  /** Other values never give the same text. */
  readonly fill: (values: readonly string[]) => string
}

/** The same template, for values that come from elsewhere than the key. */
export function textTemplate(template: string): TextTemplate {
  const { literals, columns } = parseTemplate(template)
  const separators = literals.slice(1, -1).map((literal) => separatorOf(literal, template))
  const fill = (values: readonly string[]) => {
    let text = literals[0]!
    for (let i = 0; i < columns.length; i++) {
      const value = columns.length === 1 ? values[i]! : escapeText(values[i]!, separators[i] ?? '')
      text += value + literals[i + 1]!
    }
    return text
  }
  return { columns, fill }
}

/** An option that holds an id template; a fault in it is a fault of the configuration. */
export function idTemplateOption(description: string) {
  return z
    .string()
    .superRefine((template, context) => {
      try {
        idTemplate(template)
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message })
      }
    })
    .describe(description)
}

/**
 * The value of a key with one column whose name is the one in `head`, such as `{"id":`, if it is
 * digits or an ASCII text without escapes. Most keys are so, and this takes half the time.
 */
function plainValue(key: Uint8Array, head: Uint8Array): string | undefined {
  for (let i = 0; i < head.length; i++) if (key[i] !== head[i]) return undefined
  const isText = key[head.length] === 0x22
  const start = head.length + (isText ? 1 : 0)
  const end = key.length - (isText ? 2 : 1)
  if (start >= end || key[key.length - 1] !== 0x7d || (isText && key[end] !== 0x22))
    return undefined
  let text = ''
  for (let i = start; i < end; i++) {
    const byte = key[i]!
    const isPlain = isText ? isPlainText(byte) : byte >= 0x30 && byte <= 0x39
    if (!isPlain) return undefined
    text += String.fromCharCode(byte)
  }
  return text
}

function isPlainText(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
}

interface KeyColumn {
  readonly name: string
  readonly text: string
}

function readKey(key: Uint8Array): KeyColumn[] {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  let at = skipSpace(bytes, 0)
  if (bytes[at] !== 0x7b) return [{ name: '', text: textOf(bytes, at, endOfValue(bytes, at)) }]
  const columns: KeyColumn[] = []
  at = skipSpace(bytes, at + 1)
  while (bytes[at] !== 0x7d) {
    const nameEnd = endOfValue(bytes, at)
    const start = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1)
    const end = endOfValue(bytes, start)
    columns.push({ name: textOf(bytes, at, nameEnd), text: textOf(bytes, start, end) })
    at = skipSpace(bytes, end)
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1)
  }
  if (columns.length === 0) throw new SyntaxError('the key has no columns')
  return columns
}

/** Numbers keep their digits: nothing but strings is parsed. */
function textOf(bytes: Buffer, start: number, end: number): string {
  if (bytes[start] !== 0x22) {
    const text = bytes.toString('utf8', start, end)
    return text === 'null' ? '\0' : text
  }
  const escaped = bytes.subarray(start, end).includes(0x5c)
  if (!escaped) return bytes.toString('utf8', start + 1, end - 1)
  return JSON.parse(bytes.toString('utf8', start, end)) as string
}

/** Percent-escapes "%" and one ASCII character more. */
function escapeText(text: string, separator: string): string {
  const escaped = text.includes('%') ? text.replaceAll('%', '%25') : text
  if (separator === '' || !escaped.includes(separator)) return escaped
  return escaped.replaceAll(separator, `%${separator.charCodeAt(0).toString(16).toUpperCase()}`)
}

interface Template {
  /** One more than there are columns: before, between and after them. */
  readonly literals: readonly string[]
  readonly columns: readonly string[]
}

function parseTemplate(template: string): Template {
  const literals = ['']
  const columns: string[] = []
  for (const [piece, column] of template.matchAll(/\{\{|\}\}|\{([^{}]+)\}|./gsu)) {
    if (column !== undefined) literals[columns.push(column)] = ''
    else if (piece === '{' || piece === '}') {
      throw new SyntaxError(`the template "${template}" has a brace without its other half`)
    } else literals[columns.length] += piece.length === 2 && /[{}]/.test(piece) ? piece[0]! : piece
  }
  if (columns.length === 0) {
    throw new SyntaxError(`the template "${template}" names no column, such as {id}`)
  }
  return { literals, columns }
}

/** What is escaped in the value before it, so that the value's end can be told from its content. */
function separatorOf(literal: string, template: string): string {
  const separator = /[!-$&-/:-@[-`{-~ ]/.exec(literal)?.[0]
  if (separator !== undefined) return separator
  throw new SyntaxError(
    `the template "${template}" needs a mark such as "/" or ":" between its columns`,
  )
}

function valuesOf(key: Uint8Array, columns: readonly string[], template: string): string[] {
  const found = readKey(key)
  const values = columns.map((column) => found.find(({ name }) => name === column)?.text)
  const covers = found.every(({ name }) => columns.includes(name))
  if (covers && values.every((value) => value !== undefined)) return values
  const names = found.map(({ name }) => name || '(a bare value)').join(', ')
  throw new MillraceError(
    'CONFIG_INVALID',
    `The id template "${template}" must name the columns of the key, each of them and no others: ${names}.`,
  )
}

import type { z } from 'zod'
import type { Path } from './fault.ts'
import { didYouMean } from './nearest.ts'
import { descriptionAt, isSecret, namesAt, type Shape } from './shape.ts'

/** What a schema has against a value, in words. */
export interface Explained {
  readonly path: Path
  readonly of: 'name' | 'value'
  readonly what: string
}

export interface Examined {
  readonly shape: Shape
  readonly value: unknown
  /** How the value at a path is shown to people. */
  readonly show: (path: Path, value: unknown) => string
}

type Issue = z.core.$ZodIssue

/** One issue of a schema as one or more faults that a person can act on. */
export function explain(issue: Issue, examined: Examined): readonly Explained[] {
  const path = issue.path as Path
  if (issue.code === 'unrecognized_keys') return unknownNames(issue.keys, path, examined)
  if (issue.code === 'invalid_key') {
    const what = `is not a name here: ${issue.issues.map(({ message }) => message).join('; ')}`
    return [{ path, of: 'name', what }]
  }
  if (issue.code === 'invalid_union') {
    const nested = likeliest(issue.errors)
    if (nested !== undefined)
      return nested.flatMap((each) =>
        explain({ ...each, path: [...issue.path, ...each.path] } as Issue, examined),
      )
  }
  const value = valueAt(examined.value, path)
  if (value === undefined) {
    const description = descriptionAt(examined.shape, path) ?? wanted(issue)
    return [{ path, of: 'value', what: `is missing: ${description}` }]
  }
  const shown = examined.show(path, value)
  if (!ownWords.test(issue.message)) {
    const separator = issue.message.startsWith('must ') ? ', not' : ':'
    return [{ path, of: 'value', what: `${issue.message}${separator} ${shown}` }]
  }
  const hint = isSecret(examined.shape, path) ? '' : suggestion(issue, value)
  return [{ path, of: 'value', what: `must be ${wanted(issue)}, not ${shown}${hint}` }]
}

/** How the schema library's own messages begin; others were written beside the option. */
const ownWords = /^(Invalid|Too (small|big)|Unrecognized)/

export function valueAt(value: unknown, path: Path): unknown {
  let found = value
  for (const step of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, step)) return undefined
    found = (found as Record<string | number, unknown>)[step]
  }
  return found
}

function unknownNames(names: readonly string[], path: Path, { shape }: Examined) {
  const known = namesAt(shape, path)
  return names.map((name): Explained => {
    const what = `is not an option${didYouMean(name, known)}`
    return { path: [...path, name], of: 'name', what }
  })
}

/** The branch that the writer most likely meant: the one that got furthest before it failed. */
function likeliest(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const depth = (issues: readonly Issue[]) => Math.max(...issues.map(({ path }) => path.length))
  const deep = branches.filter((issues) => issues.some(({ path }) => path.length > 0))
  return deep.toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)[0]
}

/** What would be right, to follow "must be" or "is missing:". */
function wanted(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return nameOfType(issue.expected)
    case 'invalid_value':
      return oneOf(issue.values)
    case 'too_small':
      return bound(issue, issue.minimum, 'at least')
    case 'too_big':
      return bound(issue, issue.maximum, 'at most')
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`
    case 'invalid_format':
      return nameOfFormat(issue)
    case 'invalid_union':
      return nameOfUnion(issue)
    default:
      return `valid (${issue.message})`
  }
}

function nameOfUnion(issue: z.core.$ZodIssueInvalidUnion): string {
  const { options } = issue as { options?: readonly unknown[] }
  if (options !== undefined) return oneOf(options)
  return [...new Set(issue.errors.flat().map(wanted))].join(' or ') || 'something else'
}

function suggestion(issue: Issue, value: unknown): string {
  if (typeof value !== 'string') return ''
  const values =
    issue.code === 'invalid_value'
      ? issue.values
      : issue.code === 'invalid_union'
        ? issue.errors.flat().flatMap((each) => (each.code === 'invalid_value' ? each.values : []))
        : []
  const meant = didYouMean(value, values.map(String))
  return meant.startsWith('; did') ? meant : ''
}

function oneOf(values: readonly unknown[]): string {
  const shown = values.map(String)
  return shown.length === 1 ? shown[0]! : `one of ${shown.join(', ')}`
}

function bound(issue: Issue, limit: unknown, words: string): string {
  const { origin, inclusive } = issue as { origin?: string; inclusive?: boolean }
  if (inclusive === false) return `${words === 'at least' ? 'more' : 'less'} than ${limit}`
  if (String(limit) === '1' && words === 'at least') {
    if (origin === 'string') return 'a text that is not empty'
    if (origin === 'array' || origin === 'set') return 'a list that is not empty'
  }
  if (origin === 'string') return `a text of ${words} ${limit} characters`
  if (origin === 'array' || origin === 'set') return `a list of ${words} ${limit}`
  return `${words} ${limit}`
}

function nameOfFormat(issue: Issue): string {
  const { format, pattern } = issue as { format?: string; pattern?: string }
  if (format === 'url') return 'a URL'
  return pattern === undefined ? `a valid ${format}` : `a text that matches ${pattern}`
}

function nameOfType(expected: string): string {
  return typeNames[expected] ?? expected
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  null: 'null',
}

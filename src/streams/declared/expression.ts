import type { ASTNode, ParseResult } from '@marcbachmann/cel-js'
import { MillraceError } from '../../core/errors.ts'
import { celEnvironment } from './cel-types.ts'

/** What an expression can name. `undefined` is a name that is not there, and reads as null. */
export type Names = ReadonlyMap<string, unknown>

/** A CEL expression, ready to be evaluated many times. */
export interface Expression {
  readonly text: string
  /** The free names in it: columns, and rows that were included. */
  readonly names: readonly string[]
  /** If it is nothing but a name. */
  readonly name: string | undefined
  /**
   * As in SQL, a function of null is null. Throws `VIEW_FAILED` for what cannot be worked out.
   */
  readonly evaluate: (names: Names) => unknown
}

/** Throws `CONFIG_INVALID` with what is wrong with the text and where in it. */
export function parseExpression(text: string): Expression {
  const parsed = parse(text)
  const fault = parsed.check().error
  if (fault !== undefined) throw invalid(text, fault)
  const names = [...new Set(freeNames(parsed.ast))]
  const name = parsed.ast.op === 'id' ? parsed.ast.args : undefined
  return { text, names, name, evaluate: (names) => evaluate(parsed, names, text) }
}

const environment = celEnvironment()

function parse(text: string): ParseResult {
  try {
    return environment.parse(text)
  } catch (error) {
    throw invalid(text, error as Error)
  }
}

function evaluate(parsed: ParseResult, names: Names, text: string): unknown {
  try {
    return parsed(names)
  } catch (cause) {
    if (isOfNull(cause as CelError)) return null
    const why = firstLine(cause as Error)
    throw new MillraceError('VIEW_FAILED', `The expression ${text} cannot be worked out: ${why}`, {
      cause,
    })
  }
}

interface CelError extends Error {
  readonly code?: string
}

/** A function that was called with null, of which CEL has none, or a member that is not there. */
function isOfNull({ code, message }: CelError): boolean {
  if (code === 'no_such_key') return true
  const isMissing = code === 'no_matching_overload' || code === 'no_such_overload'
  return isMissing && /\bnull\b/.test(message.split('\n')[0]!)
}

function invalid(text: string, error: Error): MillraceError {
  const range = (error as { readonly range?: { readonly start: number } }).range
  const place = range === undefined ? '' : ` at character ${range.start + 1}`
  const message = `is no expression: ${firstLine(error)}${place} of ${JSON.stringify(text)}`
  return new MillraceError('CONFIG_INVALID', message, { cause: error })
}

function firstLine({ message }: Error): string {
  return message.split('\n')[0]!.replace('found no matching overload for', 'there is no function')
}

const macros = new Set(['map', 'filter', 'all', 'exists', 'exists_one'])

/** Names that are not those of a macro's own variable. */
function* freeNames(node: ASTNode, bound: ReadonlySet<string> = new Set()): Generator<string> {
  if (node.op === 'id') {
    if (!bound.has(node.args)) yield node.args
    return
  }
  const [name, subject, inner] = node.op === 'rcall' ? node.args : []
  const variable = inner?.[0]
  if (name !== undefined && macros.has(name) && variable?.op === 'id') {
    yield* freeNames(subject!, bound)
    const within = new Set([...bound, variable.args])
    for (const each of inner!.slice(1)) yield* freeNames(each, within)
    return
  }
  for (const each of nodesIn(node.args)) yield* freeNames(each, bound)
}

function* nodesIn(args: unknown): Generator<ASTNode> {
  if (Array.isArray(args)) for (const each of args) yield* nodesIn(each)
  else if (typeof args === 'object' && args !== null && 'op' in args) yield args as ASTNode
}

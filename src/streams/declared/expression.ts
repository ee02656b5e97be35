import type { ParseResult } from '@marcbachmann/cel-js'
import { MillraceError } from '../../core/errors.ts'
import { celEnvironment } from './cel-types.ts'
import { columnsFirst } from './column-names.ts'
import { type Path, pathsIn } from './paths.ts'
import { knowNull } from './sql-null.ts'

/** What an expression can name. `undefined` is a name that is not there, and reads as null. */
export type Names = ReadonlyMap<string, unknown>

/** A CEL expression, ready to be evaluated many times. */
export interface Expression {
  readonly text: string
  /** What it reads: columns, and parts of rows that were included. */
  readonly paths: readonly Path[]
  /** If it is nothing but a name. */
  readonly name: string | undefined
  /** Throws `VIEW_FAILED` for what cannot be worked out. */
  readonly evaluate: (names: Names) => unknown
}

/** Throws `CONFIG_INVALID` with what is wrong with the text and where in it. */
export function parseExpression(text: string): Expression {
  const parsed = parse(text)
  columnsFirst(parsed.ast)
  knowNull(parsed.ast)
  const fault = parsed.check().error
  if (fault !== undefined) throw invalid(text, fault)
  const paths = pathsIn(parsed.ast)
  const name = parsed.ast.op === 'id' ? parsed.ast.args : undefined
  return { text, paths, name, evaluate: (names) => evaluate(parsed, names, text) }
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
    const why = firstLine(cause as Error)
    throw new MillraceError('VIEW_FAILED', `The expression ${text} cannot be worked out: ${why}`, {
      cause,
    })
  }
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

import type { ASTNode } from '@marcbachmann/cel-js'
import { nodesIn } from './sql-null.ts'

/**
 * What an expression reads of its row, name by name: `customer.name` is `['customer', 'name']`. An
 * element of a list is `element`, so that `items.map(i, i.price)` reads
 * `['items', element, 'price']`.
 */
export type Path = readonly (string | typeof element)[]

export const element = Symbol('element')

/** Every path in an expression, as far as its text tells; the row itself is the empty one. */
export function pathsIn(node: ASTNode): readonly Path[] {
  return [...pathsBelow(node, new Map())]
}

type Bound = ReadonlyMap<string, Path | undefined>

const macros = new Set(['map', 'filter', 'all', 'exists', 'exists_one'])

function* pathsBelow(node: ASTNode, bound: Bound): Generator<Path> {
  const path = pathOf(node, bound)
  if (path !== undefined) yield path
  const [name, subject, args] = node.op === 'rcall' ? node.args : []
  const variable = args?.[0]
  if (name !== undefined && macros.has(name) && variable?.op === 'id') {
    yield* pathsBelow(subject!, bound)
    const within = new Map([...bound, [variable.args, elementOf(pathOf(subject!, bound))]])
    for (const each of args!.slice(1)) yield* pathsBelow(each, within)
    return
  }
  if (path !== undefined && node.op !== 'rcall') yield* pathsWithin(node, bound)
  else for (const each of nodesIn(node.args)) yield* pathsBelow(each, bound)
}

/** The paths inside a path: of what chooses an element. */
function* pathsWithin(node: ASTNode, bound: Bound): Generator<Path> {
  if (node.op === 'id') return
  if (node.op !== '.' && node.op !== '[]') {
    yield* pathsBelow(node, bound)
    return
  }
  yield* pathsWithin(node.args[0], bound)
  if (node.op === '[]') yield* pathsBelow(node.args[1], bound)
}

/** `undefined`: it is no part of the row, or not told by the text alone. */
function pathOf(node: ASTNode, bound: Bound): Path | undefined {
  if (node.op === 'id') {
    if (bound.has(node.args)) return bound.get(node.args)
    return node.args === 'row' ? [] : [node.args]
  }
  if (node.op === '.') return extended(pathOf(node.args[0], bound), node.args[1])
  if (node.op === '[]') {
    const [subject, index] = node.args
    const path = pathOf(subject, bound)
    const isName = index.op === 'value' && typeof index.args === 'string'
    return isName ? extended(path, index.args as string) : elementOf(path)
  }
  const [name, subject] = node.op === 'rcall' ? node.args : []
  const keepsElements = name === 'filter' || name === 'sorted' || name === 'distinct'
  return keepsElements ? pathOf(subject!, bound) : undefined
}

function extended(path: Path | undefined, name: string): Path | undefined {
  return path && [...path, name]
}

function elementOf(path: Path | undefined): Path | undefined {
  return path && [...path, element]
}

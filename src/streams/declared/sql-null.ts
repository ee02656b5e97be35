import type { ASTNode } from '@marcbachmann/cel-js'
import { AbsentRow } from './scope.ts'

/**
 * Gives a parsed expression the null of SQL, which CEL does not have: arithmetic with null and a
 * function of null are null, no order comparison with null holds, `&&`, `||` and `!` know three
 * values, and what is null where a condition stands is not true. Each node is given an `evaluate`
 * of its own, before the library checks the expression.
 */
export function knowNull(root: ASTNode): void {
  for (const child of nodesIn(root.args)) knowNull(child)
  const node = root as unknown as Node
  const inner = node.meta.alternate ?? node
  const evaluate = inner.meta.evaluate
  const known = evaluations[node.op]
  if (inner !== node) comprehend(node, inner)
  else if (known !== undefined) node.setMeta('evaluate', known(evaluate))
}

export function* nodesIn(args: unknown): Generator<ASTNode> {
  if (Array.isArray(args)) for (const each of args) yield* nodesIn(each)
  else if (typeof args === 'object' && args !== null && 'op' in args) yield args as ASTNode
}

/** What a node is inside the library. */
interface Node {
  readonly op: string
  readonly args: readonly unknown[]
  readonly meta: { readonly evaluate: Evaluate; readonly alternate?: Node }
  readonly setMeta: (name: 'evaluate' | 'check', value: unknown) => Node
  /** Once it is checked: applies the operator or function. */
  readonly handle: (...args: readonly unknown[]) => unknown
  readonly receiverWithArgs: readonly Node[]
}

interface Evaluator {
  readonly run: (node: Node, context: unknown) => unknown
}

type Evaluate = (evaluator: Evaluator, node: Node, context: unknown) => unknown

const evaluations: Readonly<Record<string, (evaluate: Evaluate) => Evaluate>> = {
  call: () => (evaluator, node, context) => {
    const [name, written] = node.args as readonly [string, readonly Node[]]
    const args = written.map((arg) => evaluator.run(arg, context))
    return args.some(isNull) && !takesNull.has(name) ? null : node.handle(args, node, evaluator)
  },
  rcall: () => (evaluator, node, context) => {
    const args = node.receiverWithArgs.map((arg) => evaluator.run(arg, context))
    return args.some(isNull) ? null : node.handle(args, evaluator, node)
  },
  '!_': () => ofOne,
  '-_': () => ofOne,
  '&&': (evaluate) => orNull('invalid_logical_operand', evaluate),
  '||': (evaluate) => orNull('invalid_logical_operand', evaluate),
  '?:': () => (evaluator, node, context) => {
    const [condition, yes, no] = node.args as readonly [Node, Node, Node]
    const isSo = evaluator.run(condition, context)
    if (typeof isSo === 'boolean') return evaluator.run(isSo ? yes : no, context)
    if (isNull(isSo)) return evaluator.run(no, context)
    throw new TypeError(`${JSON.stringify(isSo)} decides nothing: a condition is true or false`)
  },
  '.': (evaluate) => orNull('no_such_key', evaluate),
  '[]': (evaluate) => orNull('no_such_key', evaluate),
  '==': () => ofTwo((a, b) => isNull(a) && isNull(b)),
  '!=': () => ofTwo((a, b) => !(isNull(a) && isNull(b))),
  in: () => ofTwo(() => false),
  ...Object.fromEntries(['<', '<=', '>', '>='].map((name) => [name, () => ofTwo(() => false)])),
  ...Object.fromEntries(['+', '-', '*', '/', '%'].map((name) => [name, () => ofTwo(() => null)])),
}

const takesNull: ReadonlySet<string> = new Set(['coalesce', 'dyn', 'type'])

function isNull(value: unknown): boolean {
  return value === null || value === undefined || value instanceof AbsentRow
}

const ofOne: Evaluate = (evaluator, node, context) => {
  const value = evaluator.run(node.args as unknown as Node, context)
  return isNull(value) ? null : node.handle(value, node, evaluator)
}

/** `withNull` says what comes of it if one of the two is null. */
function ofTwo(withNull: (a: unknown, b: unknown) => unknown): Evaluate {
  return (evaluator, node, context) => {
    const [left, right] = node.args as readonly [Node, Node]
    const a = evaluator.run(left, context)
    const b = evaluator.run(right, context)
    return isNull(a) || isNull(b) ? withNull(a, b) : node.handle(a, b, node, evaluator)
  }
}

/** Null, if the library refuses it for a null. */
function orNull(code: string, evaluate: Evaluate): Evaluate {
  return (evaluator, node, context) => {
    try {
      return evaluate(evaluator, node, context)
    } catch (error) {
      if ((error as { readonly code?: string }).code !== code) throw error
      if (code !== 'no_such_key' && !/'null'/.test((error as Error).message)) throw error
      return null
    }
  }
}

/** Macros: of no list there is nothing, and a condition that is null does not hold. */
function comprehend(node: Node, inner: Node): void {
  const [name, subject, args] = node.args as unknown as readonly [string, Node, readonly Node[]]
  const isCondition = name !== 'map' || args.length === 3
  const condition = isCondition ? args[1] : undefined
  if (condition !== undefined) holdsOrNot(condition)
  inner.setMeta('evaluate', ((evaluator, each, context) => {
    const list = evaluator.run(subject, context)
    return isNull(list) ? null : each.handle(list, each.args, evaluator, context)
  }) satisfies Evaluate)
}

function holdsOrNot(condition: Node): void {
  const inner = condition.meta.alternate ?? condition
  const evaluate = inner.meta.evaluate
  inner.setMeta('evaluate', ((evaluator, node, context) => {
    return evaluate(evaluator, node, context) ?? false
  }) satisfies Evaluate)
}

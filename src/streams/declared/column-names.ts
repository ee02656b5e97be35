import type { ASTNode } from '@marcbachmann/cel-js'
import { nodesIn } from './sql-null.ts'

/** Names of types in CEL, which nobody needs to name, and columns often have. */
const typeNames: ReadonlySet<string> = new Set([
  ...['bool', 'bytes', 'double', 'google', 'int', 'list', 'map', 'null_type'],
  ...['string', 'type', 'uint'],
])

/** In an expression that was not checked yet, lets the names of types be those of columns. */
export function columnsFirst(node: ASTNode): void {
  if (node.op === 'id' && typeNames.has(node.args)) {
    const { setMeta } = node as unknown as { readonly setMeta: SetCheck }
    setMeta.call(node, 'check', ({ dynType }) => dynType)
  }
  for (const each of nodesIn(node.args)) columnsFirst(each)
}

/** What a node is inside the library: `check` gives the type of what it stands for. */
type SetCheck = (
  name: 'check',
  check: (checker: { readonly dynType: unknown }) => unknown,
) => unknown

import { z } from 'zod'
import type { MillraceError } from '../../core/errors.ts'
import type {
  Branch,
  Field,
  Order,
  TableName,
  ToMany,
  ToOne,
} from '../../streams/declared/branch.ts'
import { type Expression, parseExpression } from '../../streams/declared/expression.ts'
import type { Draft } from './draft.ts'
import type { Path } from './fault.ts'

/** A view that a configuration file describes, or `undefined` if something is wrong with it. */
export function readDeclared(draft: Draft, path: Path): Branch | undefined {
  const found = draft.parse(rootShape, path, includes)
  const branch = readBranch(draft, path)
  return found && branch?.({ table: found.root, ...found })
}

const expression = z.string().min(1)
const fields = z.union([z.array(z.string().min(1)).min(1), z.record(z.string(), expression)])
const key = z.union([z.string().min(1), z.record(z.string(), z.string().min(1))])

const rows = {
  where: expression
    .optional()
    .describe('An expression: rows for which it is not true are left out.'),
  fields: fields
    .optional()
    .describe('The columns to take, or a mapping of names to expressions; all columns by default.'),
  without: z.array(z.string().min(1)).optional().describe('Columns to leave out.'),
  compute: z.record(z.string(), expression).optional().describe('More members: name, expression.'),
}

const included = {
  table: z.string().min(1).describe('The topic or view whose rows are included.'),
  show: z.boolean().default(true).describe('false: for expressions only, not in the document.'),
}

const rootShape = z.strictObject({
  root: z.string().min(1).describe('The topic or view of which each row becomes a document.'),
  ...rows,
})

const oneShape = z.strictObject({
  ...included,
  on: key.describe("This row's column that holds the other's key; of a key of several, a mapping."),
  required: z.boolean().default(false).describe('true: rows that point at nothing are left out.'),
  ...rows,
})

const manyShape = z.strictObject({
  ...included,
  on: key.describe("The other's column that holds this row's key; of a key of several, a mapping."),
  orderBy: z
    .union([expression, z.array(expression).min(1)])
    .optional()
    .describe('Expressions; - in front of one turns it round. By key where they are equal.'),
  limit: z.int().positive().optional().describe('At most so many, the first in that order.'),
  ...rows,
})

const includes = ['one', 'many'] as const

type Rows = z.output<z.ZodObject<typeof rows>> & { readonly table: string }
type Make = (rows: Rows) => Branch

/** What is below a table is read first, so that all faults are found whatever else is wrong. */
function readBranch(draft: Draft, path: Path): Make | undefined {
  const one = eachInclude(draft, [...path, 'one'], readOne)
  const many = eachInclude(draft, [...path, 'many'], readMany)
  const where = readExpression(draft, [...path, 'where'])
  const own = readFields(draft, [...path, 'fields'])
  const compute = readFields(draft, [...path, 'compute'])
  checkNames(draft, path)
  if (one === undefined || many === undefined) return undefined
  return ({ table, without }) => ({
    ...{ from: tableName(draft, path, table), one, many, where },
    ...{ fields: own, compute: compute ?? [], without: new Set(without) },
  })
}

function eachInclude<T>(
  draft: Draft,
  path: Path,
  read: (draft: Draft, path: Path, name: string) => T | undefined,
): readonly T[] | undefined {
  if (draft.at(path) === undefined) return []
  if (draft.parse(z.record(z.string(), z.unknown()), path) === undefined) return undefined
  const found = draft.names(path).map((name) => read(draft, [...path, name], name))
  return found.includes(undefined) ? undefined : (found as T[])
}

function readOne(draft: Draft, path: Path, name: string): ToOne | undefined {
  const found = draft.parse(oneShape, path, includes)
  const branch = readBranch(draft, path)
  if (found === undefined || branch === undefined) return undefined
  const { on, show, required } = found
  return { name, on, isShown: show, isRequired: required, branch: branch(found) }
}

function readMany(draft: Draft, path: Path, name: string): ToMany | undefined {
  const found = draft.parse(manyShape, path, includes)
  const branch = readBranch(draft, path)
  const orderBy = readOrder(draft, [...path, 'orderBy'])
  if (found === undefined || branch === undefined) return undefined
  const { on, show, limit } = found
  return { name, on, isShown: show, orderBy, limit, branch: branch(found) }
}

function readFields(draft: Draft, path: Path): readonly Field[] | undefined {
  const written = draft.at(path)
  if (Array.isArray(written)) {
    return written.flatMap((column: unknown) => {
      return typeof column === 'string' ? [{ name: column, value: columnNamed(column) }] : []
    })
  }
  if (typeof written !== 'object' || written === null) return undefined
  return draft.names(path).flatMap((name) => {
    const value = readExpression(draft, [...path, name])
    return value === undefined ? [] : [{ name, value }]
  })
}

/** A column by its name alone, which need not be one that an expression can spell. */
function columnNamed(name: string): Expression {
  return { text: name, paths: [[name]], name, evaluate: (names) => names.get(name) }
}

function readOrder(draft: Draft, path: Path): readonly Order[] {
  const written = draft.at(path)
  const isList = Array.isArray(written)
  return (isList ? written : [written]).flatMap((each: unknown, i) => {
    if (typeof each !== 'string') return []
    const isDescending = each.startsWith('-')
    const by = parseAt(draft, isList ? [...path, i] : path, each.slice(isDescending ? 1 : 0))
    return by === undefined ? [] : [{ by, isDescending }]
  })
}

function readExpression(draft: Draft, path: Path): Expression | undefined {
  const text = draft.at(path)
  return typeof text === 'string' && text !== '' ? parseAt(draft, path, text) : undefined
}

function parseAt(draft: Draft, path: Path, text: string): Expression | undefined {
  try {
    return parseExpression(text)
  } catch (error) {
    draft.report(path, (error as MillraceError).message)
    return undefined
  }
}

/** A view's own name in it can only mean a topic. */
function tableName(draft: Draft, path: Path, name: string): TableName {
  const isView = draft.names(['views']).includes(name) && name !== path[1]
  return isView ? { view: name } : { topic: name }
}

/** A name that is included twice would hide one of them. */
function checkNames(draft: Draft, path: Path): void {
  const one = draft.names([...path, 'one'])
  for (const name of draft.names([...path, 'many']).filter((each) => one.includes(each)))
    draft.report([...path, 'many', name], 'has the name of an include under `one`', 'name')
}

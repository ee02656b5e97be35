import type { KTable } from '../ktable.ts'
import { defineView, type ViewDefinition, type ViewScope } from '../view.ts'
import type { Branch, Order, ToMany } from './branch.ts'
import { compareValues } from './cel-lists.ts'
import type { Path } from './paths.ts'
import { Scope } from './scope.ts'

/** A view that was described in a configuration file instead of in code. */
export function declaredView(root: Branch): ViewDefinition {
  return defineView((scope) => {
    const rows = branchTable(scope, root)
    return rows.mapValues(told((row: Scope) => row.document(), documentText(root)))
  })
}

/** Filters that need no included row come first, so that nothing is joined to what is left out. */
function branchTable(scope: ViewScope, branch: Branch): KTable<Scope> {
  const { from, where, one, many } = branch
  const table = 'view' in from ? scope.view<object>(from.view) : scope.table<object>(from.topic)
  const included = [...one, ...many].map(({ name }) => name)
  const isIncluded = (first: Path[number] | undefined) =>
    first === undefined || included.includes(first as string)
  const isEarly = where !== undefined && !where.paths.some(([first]) => isIncluded(first))
  const passes = told((row: Scope) => where === undefined || row.passes(where), where?.text ?? '')
  const make = (row: object) => new Scope(branch, row as never)
  let rows = table.mapValues(told(make, 'columns')) as KTable<Scope>
  if (isEarly) rows = rows.filter(passes)
  for (const { name, on, branch: other, isRequired } of one) {
    const joining = {
      on: told((row: Scope) => row.key(on), JSON.stringify(on)),
      select: told((row: Scope, found: Scope | null) => row.with(name, found), name),
    }
    const others = branchTable(scope, other)
    rows = isRequired ? rows.join(others, joining) : rows.leftJoin(others, joining)
  }
  for (const include of many) rows = nested(rows, branchTable(scope, include.branch), include)
  return where === undefined || isEarly ? rows : rows.filter(passes)
}

function nested(rows: KTable<Scope>, children: KTable<Scope>, include: ToMany): KTable<Scope> {
  const { name, on, orderBy, limit } = include
  const select = (row: Scope, found: readonly Scope[]) =>
    row.with(name, inOrder(found, orderBy).slice(0, limit))
  const text = JSON.stringify([name, orderBy.map(orderText), limit ?? null])
  return rows.nest(children, {
    on: told((child: Scope) => child.key(on), JSON.stringify(on)),
    select: told(select, text),
  })
}

/** Rows come in the order of their keys, which decides where `orderBy` does not. */
function inOrder(rows: readonly Scope[], orderBy: readonly Order[]): readonly Scope[] {
  if (orderBy.length === 0) return rows
  const values = new Map(rows.map((row) => [row, orderBy.map(({ by }) => row.evaluate(by))]))
  return rows.toSorted((a, b) => {
    for (const [i, { isDescending }] of orderBy.entries()) {
      const [left, right] = [values.get(a)![i] ?? null, values.get(b)![i] ?? null]
      const isNull = left === null || right === null
      const order = compareValues(left, right)
      if (order !== 0) return isDescending && !isNull ? -order : order
    }
    return 0
  })
}

function documentText({ fields, without, compute, one, many }: Branch): string {
  const texts = (each: Branch['fields']) =>
    each?.map(({ name, value }) => [name, value.text]) ?? null
  const includes: unknown[] = [...one, ...many].map(({ name, isShown, branch }) => {
    return [name, isShown, documentText(branch)]
  })
  return JSON.stringify([texts(fields), [...without], texts(compute), includes])
}

function orderText({ by, isDescending }: Order): string {
  return `${isDescending ? '-' : ''}${by.text}`
}

/** A function whose text, by which a changed definition is noticed, is what was declared. */
function told<F extends object>(call: F, text: string): F {
  return Object.defineProperty(call, 'toString', { value: () => text })
}

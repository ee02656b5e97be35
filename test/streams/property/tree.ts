import type { Expression, Kind, NamedList, Names } from './expressions.ts'

/** What a row of a view under construction offers: its columns, and the rows it includes. */
export interface Tree {
  readonly columns: readonly TreeColumn[]
  readonly rows: readonly { readonly path: string; readonly isThere: string }[]
  readonly lists: readonly TreeList[]
}

export interface TreeColumn {
  /** Behind the row's own name: `.name`, `["odd name"]`, `.customer.name`. */
  readonly path: string
  readonly sql: string
  readonly kind: Kind
  /** Not if it comes from another view: then its numbers are untyped, and decimals are texts. */
  readonly isTyped: boolean
}

export interface TreeList {
  readonly path: string
  readonly element: Tree
  readonly aggregate: (sql: string) => string
}

/** The same, as it is named from outside; `exported` gives the name of an expression there. */
export function lifted(tree: Tree, path: string, exported: (sql: string) => string): Tree {
  return {
    columns: tree.columns.map((column) => {
      return { ...column, path: `${path}${column.path}`, sql: exported(column.sql) }
    }),
    rows: tree.rows.map((row) => {
      return { path: `${path}${row.path}`, isThere: exported(row.isThere) }
    }),
    lists: tree.lists.map((list) => {
      return {
        ...list,
        path: `${path}${list.path}`,
        aggregate: (sql) => exported(list.aggregate(sql)),
      }
    }),
  }
}

/** As expressions name it: from the row itself, or from a variable that stands for it. */
export function namesIn(tree: Tree, variable = ''): Names {
  const named = (path: string) => {
    if (variable !== '') return `${variable}${path}`
    return path.startsWith('.') ? path.slice(1) : `row${path}`
  }
  return {
    columns: tree.columns.map((column): Names['columns'][number] => {
      const { kind, sql, isTyped } = column
      const cel = named(column.path)
      const isText = kind === 'decimal' && !isTyped
      return { kind, sql, isTyped, cel: isText ? `decimal(${cel})` : cel } satisfies Expression & {
        isTyped: boolean
      }
    }),
    rows: tree.rows.map(({ path, isThere }) => ({ cel: named(path), isThere })),
    lists: tree.lists.map(({ path, element, aggregate }): NamedList => {
      return { cel: named(path), element: namesIn(element, 'e'), aggregate }
    }),
  }
}

export function pathOf(name: string): string {
  return /^\w+$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

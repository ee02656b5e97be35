import type { Expression } from './expression.ts'

/**
 * A table of a declared view: which rows and columns of it, and what is included by foreign key.
 * The root of a view and everything below it have the same shape.
 */
export interface Branch {
  readonly from: TableName
  /** Rows for which it is not true are left out. */
  readonly where: Expression | undefined
  /** The document's own members, by name; undefined: all columns. */
  readonly fields: readonly Field[] | undefined
  /** Columns that are left out. */
  readonly without: ReadonlySet<string>
  /** Members beside the fields. */
  readonly compute: readonly Field[]
  readonly one: readonly ToOne[]
  readonly many: readonly ToMany[]
}

export type TableName = { readonly topic: string } | { readonly view: string }

export interface Field {
  readonly name: string
  readonly value: Expression
}

interface Include {
  readonly name: string
  readonly branch: Branch
  /** Whether it is part of the document, or there for expressions only. */
  readonly isShown: boolean
}

/** The row that this one points at. */
export interface ToOne extends Include {
  /** By column of the other's key, this row's column; or the one column of this row. */
  readonly on: string | Readonly<Record<string, string>>
  /** Rows that point at nothing are left out. */
  readonly isRequired: boolean
}

/** The rows that point at this one. */
export interface ToMany extends Include {
  /** By column of this row's key, the other's column; or the one column of the other. */
  readonly on: string | Readonly<Record<string, string>>
  readonly orderBy: readonly Order[]
  /** At most so many, the first in that order. */
  readonly limit: number | undefined
}

export interface Order {
  readonly by: Expression
  readonly isDescending: boolean
}

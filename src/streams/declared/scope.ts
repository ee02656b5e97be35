import type { Json, Row } from '../../core/json.ts'
import type { KeyValue, Scalar } from '../key.ts'
import type { Branch } from './branch.ts'
import { columnValue, toJson } from './cel-values.ts'
import type { Expression, Names } from './expression.ts'

type Included = Scope | null | readonly Scope[]

/** A row and what it includes: what expressions work on and a document is made of. */
export class Scope {
  readonly #branch: Branch
  readonly #row: Row
  readonly #included: Readonly<Record<string, Included>>
  #names: RowNames | undefined

  constructor(branch: Branch, row: Row, included: Readonly<Record<string, Included>> = {}) {
    this.#branch = branch
    this.#row = row
    this.#included = included
  }

  with(name: string, included: Included): Scope {
    return new Scope(this.#branch, this.#row, { ...this.#included, [name]: included })
  }

  evaluate(expression: Expression): unknown {
    return expression.evaluate(this.names)
  }

  passes(expression: Expression): boolean {
    return this.evaluate(expression) === true
  }

  /** The row's values in the columns, as a key. */
  key(columns: string | Readonly<Record<string, string>>): KeyValue | null {
    if (typeof columns === 'string') return (this.#row[columns] ?? null) as Scalar | null
    const values = Object.entries(columns).map(([name, own]) => [name, this.#row[own] ?? null])
    return Object.fromEntries(values) as KeyValue
  }

  get names(): Names {
    this.#names ??= new RowNames(this)
    return this.#names
  }

  /** `undefined`: neither a column nor an included row has this name. */
  value(name: string): unknown {
    const included = this.#included[name]
    if (included === undefined) return columnValue(this.#row, name)
    if (included instanceof Scope) return included.names
    if (included !== null) return included.map(({ names }) => names)
    return new AbsentRow(this.#branch.one.find((one) => one.name === name)!.branch)
  }

  document(): Row {
    const { fields, compute, one, many } = this.#branch
    const document: Record<string, Json> = {}
    if (fields === undefined) this.#putColumns(document)
    else for (const { name, value } of fields) document[name] = this.#field(value)
    for (const { name, isShown } of [...one, ...many])
      if (isShown) document[name] = this.#include(name)
    for (const { name, value } of compute) document[name] = this.#field(value)
    return document
  }

  #putColumns(document: Record<string, Json>): void {
    const { without } = this.#branch
    for (const name of Object.keys(this.#row))
      if (!without.has(name)) document[name] = this.#row[name]!
  }

  /** A column goes into the document as it is. */
  #field(expression: Expression): Json {
    const { name } = expression
    if (name === undefined) return toJson(this.evaluate(expression))
    return this.#included[name] === undefined ? (this.#row[name] ?? null) : this.#include(name)
  }

  #include(name: string): Json {
    const included = this.#included[name] ?? null
    if (included instanceof Scope) return included.document()
    return included === null ? null : included.map((each) => each.document())
  }
}

/** The names of a row's columns and of what it includes. `row` is the row itself. */
export class RowNames extends Map<string, unknown> {
  readonly #scope: Scope

  constructor(scope: Scope) {
    super()
    this.#scope = scope
  }

  override has(): boolean {
    return true
  }

  /** A column that the row does not have, as it was added later, is null. */
  override get(name: string): unknown {
    const value = this.#scope.value(name)
    return value === undefined ? (name === 'row' ? this : null) : value
  }
}

/** Where a row points at nothing. It is equal to null, and so are its columns. */
export class AbsentRow extends Map<string, unknown> {
  readonly #branch: Branch

  constructor(branch: Branch) {
    super()
    this.#branch = branch
  }

  override has(): boolean {
    return true
  }

  override get(name: string): unknown {
    const one = this.#branch.one.find((each) => each.name === name)
    if (one !== undefined) return new AbsentRow(one.branch)
    return this.#branch.many.some((each) => each.name === name) ? [] : null
  }
}

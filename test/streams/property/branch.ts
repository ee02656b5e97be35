import type { Random } from '../../crash/random.ts'
import { anyExpression, bool, type Expression, listed } from './expressions.ts'
import { keyOrder, type Relation, type Render, renders } from './relation.ts'
import type { TestTable } from './schema.ts'
import { lifted, namesIn, pathOf, type Tree } from './tree.ts'

/** A part of a view's description, as the configuration file would hold it. */
export type Spec = Readonly<Record<string, unknown>>

export interface Member {
  readonly name: string
  readonly sql: string
  readonly render: Render
  readonly kind: Expression['kind']
}

/**
 * A table of a view with all that it includes, chosen at random: what the configuration says of it,
 * and how the database says the same.
 */
export class RandomBranch {
  readonly relation: Relation
  readonly spec: Record<string, unknown> = {}
  readonly alias: string
  readonly tree: Tree
  readonly members: readonly Member[]
  readonly #random: Random
  readonly #relations: readonly Relation[]
  readonly #joins: (() => string)[] = []
  readonly #exports: string[] = []
  readonly #conditions: string[] = []
  static #aliases = 0

  constructor(
    random: Random,
    relation: Relation,
    { relations, depth }: { readonly relations: readonly Relation[]; readonly depth: number },
  ) {
    this.relation = relation
    this.alias = `t${++RandomBranch.#aliases}`
    this.#random = random
    this.#relations = relations
    const own: Tree = {
      columns: relation.columns.map(({ name, sql, kind, isTyped }) => {
        return { path: pathOf(name), sql: `${this.alias}.${sql}`, kind, isTyped }
      }),
      rows: [],
      lists: [],
    }
    const included = depth > 0 ? this.#includes(depth) : []
    this.tree = joinedTrees([own, ...included.map(({ tree }) => tree)])
    const names = namesIn(this.tree)
    if (random.below(3) === 0) {
      const where = bool(names, random)
      this.spec.where = where.cel
      this.#conditions.push(where.sql)
    }
    const shown = included.flatMap(({ member }) => member ?? [])
    this.members = [...this.#fields(), ...shown, ...this.#computed()]
  }

  get document(): string {
    const parts = this.members.map(({ name, sql, render }) => `'${name}', ${render(sql)}`)
    return `jsonb_build_object(${parts.join(', ')})`
  }

  /** Gives the expression a name to be used outside. */
  exported(sql: string): string {
    const known = this.#exports.indexOf(sql)
    return `c${known >= 0 ? known : this.#exports.push(sql) - 1}`
  }

  /** `extra`: what is selected beside the exports; `conditions` beside the branch's own. */
  select(extra: readonly string[], conditions: readonly string[] = []): string {
    const joins = this.#joins.map((join) => join()).join(' ')
    const exports = this.#exports.map((sql, i) => `${sql} as c${i}`)
    const all = [...conditions, ...this.#conditions].map((each) => `(${each})`)
    const where = all.length === 0 ? '' : `where ${all.join(' and ')}`
    return `select ${[...extra, ...exports].join(', ')}
      from ${this.relation.sql} ${this.alias} ${joins} ${where}`
  }

  #includes(depth: number): readonly Included[] {
    const random = this.#random
    const included: Included[] = []
    for (const target of random.shuffle(pointedAt(this.relation))) {
      if (random.below(3) === 0) continue
      const found = this.#relations.filter(({ root }) => root.name === target.to.name)
      included.push(this.#one(random.pick(found), target, depth))
    }
    const children = this.#relations.filter((other) => pointsAt(other, this.relation.root))
    for (const child of random.shuffle(children).slice(0, random.below(3))) {
      included.push(this.#many(child, depth))
    }
    return included
  }

  #one(other: Relation, { columns }: Pointing, depth: number): Included {
    const random = this.#random
    const relations = this.#relations
    const branch = new RandomBranch(random, other, { relations, depth: depth - 1 })
    const name = `one_${branch.alias}`
    const isRequired = random.below(5) === 0
    const isShown = random.below(5) > 0
    const on = keyOrColumn(columns)
    const spec = { table: other.name, on, ...branch.spec, required: isRequired, show: isShown }
    this.spec.one = { ...(this.spec.one as Spec), [name]: spec }
    const meets = Object.entries(columns).map(([key, own]) => {
      return `${branch.alias}.${other.key.get(key)!} = ${this.alias}.${columnOf(this.relation, own)}`
    })
    const alias = `${branch.alias}_one`
    const tree = lifted(branch.tree, `.${name}`, (sql) => `${alias}.${branch.exported(sql)}`)
    const isThere = `${alias}.there`
    this.#joins.push(() => {
      const select = branch.select(['true as there', `${branch.document} as doc`], meets)
      return `${isRequired ? '' : 'left '}join lateral (${select}) ${alias} on true`
    })
    const member = { name, sql: `${alias}.doc`, render: renders.other, kind: 'other' as const }
    return {
      tree: { ...tree, rows: [...tree.rows, { path: `.${name}`, isThere }] },
      member: isShown ? member : undefined,
    }
  }

  #many(other: Relation, depth: number): Included {
    const random = this.#random
    const branch = new RandomBranch(random, other, {
      relations: this.#relations,
      depth: depth - 1,
    })
    const name = `many_${branch.alias}`
    const { columns } = random.pick(
      pointedAt(other).filter(({ to }) => to.name === this.relation.root.name),
    )
    const isShown = random.below(5) > 0
    const limit = random.below(4) === 0 ? random.between(1, 4) : undefined
    const order = this.#order(branch)
    const spec = {
      ...{ table: other.name, on: keyOrColumn(columns), ...branch.spec, show: isShown },
      ...(order.cel.length === 0 ? {} : { orderBy: order.cel }),
      ...(limit === undefined ? {} : { limit }),
    }
    this.spec.many = { ...(this.spec.many as Spec), [name]: spec }
    const meets = Object.entries(columns).map(([key, its]) => {
      return `${branch.alias}.${columnOf(other, its)} = ${this.alias}.${this.relation.key.get(key)!}`
    })
    const alias = `${branch.alias}_many`
    const aggregates: string[] = []
    const inner = `${branch.alias}_each`
    const element = lifted(branch.tree, '', (sql) => `${inner}.${branch.exported(sql)}`)
    this.#joins.push(() => {
      const by = [...order.sql, keyOrder(other, branch.alias)].join(', ')
      const place = `row_number() over (order by ${by}) as ordinal`
      const rows = branch.select([`${branch.document} as doc`, place], meets)
      const some = `${rows} order by ordinal ${limit === undefined ? '' : `limit ${limit}`}`
      const results = aggregates.map((sql, i) => `, ${sql} as a${i}`).join('')
      return `left join lateral (select coalesce(jsonb_agg(${inner}.doc order by ordinal), '[]')
        as docs${results} from (${some}) ${inner}) ${alias} on true`
    })
    const aggregate = (sql: string) => `${alias}.a${aggregates.push(sql) - 1}`
    const member = { name, sql: `${alias}.docs`, render: renders.other, kind: 'other' as const }
    const lists = [{ path: `.${name}`, element, aggregate }]
    return { tree: { columns: [], rows: [], lists }, member: isShown ? member : undefined }
  }

  #order({ tree }: RandomBranch): { readonly cel: string[]; readonly sql: string[] } {
    const { columns } = namesIn(tree)
    const orderable = columns.filter(({ kind }) => ['int', 'decimal', 'text'].includes(kind))
    const chosen = this.#random.shuffle(orderable).slice(0, this.#random.below(3))
    const order = { cel: [] as string[], sql: [] as string[] }
    for (const { cel, sql, kind } of chosen) {
      const isDown = this.#random.below(2) === 0
      order.cel.push(`${isDown ? '-' : ''}${cel}`)
      const collated = kind === 'text' ? `${sql} collate "C"` : sql
      order.sql.push(`${collated} ${isDown ? 'desc' : 'asc'} nulls last`)
    }
    return order
  }

  #fields(): readonly Member[] {
    const random = this.#random
    const { columns } = this.relation
    const choice = random.below(4)
    const own = columns.map((column) => ({ ...column, sql: `${this.alias}.${column.sql}` }))
    const some = random.shuffle(own).slice(0, random.between(1, own.length + 1))
    if (choice === 0) {
      const without = some.slice(0, -1)
      if (without.length > 0) this.spec.without = without.map(({ name }) => name)
      return own.filter((column) => !without.includes(column))
    }
    if (choice === 1) {
      this.spec.fields = some.map(({ name }) => name)
      return some
    }
    if (choice === 2) return own
    const names = namesIn(this.tree)
    const members = some.map(({ name, sql, render, kind }, i): [string, Member] => {
      const to = `f${i}_${this.alias}`
      if (random.below(3) === 0) {
        const made = anyExpression(names, random)
        return [made.cel, { ...made, name: to, render: renders[made.kind] }]
      }
      const path = pathOf(name)
      const cel = path.startsWith('.') ? name : `row${path}`
      return [cel, { name: to, sql, render, kind }]
    })
    this.spec.fields = Object.fromEntries(members.map(([cel, { name }]) => [name, cel]))
    return members.map(([, member]) => member)
  }

  #computed(): readonly Member[] {
    const random = this.#random
    const names = namesIn(this.tree)
    const made = Array.from({ length: random.below(4) }, () => {
      const list = random.below(3) === 0 ? listed(names, random) : undefined
      return list ?? anyExpression(names, random)
    })
    if (made.length === 0) return []
    const members = made.map(({ cel, sql, kind }, i) => {
      return { cel, name: `x${i}_${this.alias}`, sql, kind, render: renders[kind] }
    })
    this.spec.compute = Object.fromEntries(members.map(({ name, cel }) => [name, cel]))
    return members
  }
}

interface Included {
  readonly tree: Tree
  readonly member: Member | undefined
}

interface Pointing {
  readonly to: TestTable
  readonly columns: Readonly<Record<string, string>>
}

/** The references of which the relation has all columns. */
function pointedAt({ root, columns }: Relation): readonly Pointing[] {
  const names = new Set(columns.map(({ name }) => name))
  return root.references.filter((reference) =>
    Object.values(reference.columns).every((column) => names.has(column)),
  )
}

function pointsAt(relation: Relation, { name }: TestTable): boolean {
  return pointedAt(relation).some(({ to }) => to.name === name)
}

function columnOf({ columns }: Relation, name: string): string {
  return columns.find((column) => column.name === name)!.sql
}

/** A key of one column may be named by the column that holds it alone. */
function keyOrColumn(columns: Readonly<Record<string, string>>): unknown {
  const own = Object.values(columns)
  return own.length === 1 ? own[0] : columns
}

function joinedTrees(trees: readonly Tree[]): Tree {
  return {
    columns: trees.flatMap(({ columns }) => columns),
    rows: trees.flatMap(({ rows }) => rows),
    lists: trees.flatMap(({ lists }) => lists),
  }
}

import type { Random } from '../../crash/random.ts'
import { RandomBranch, type Spec } from './branch.ts'
import { keyJson, type Relation, relationOf } from './relation.ts'
import { quoted, type TestTable } from './schema.ts'

/** A view in both languages. */
export interface RandomView {
  readonly name: string
  /** Its section in the configuration file. */
  readonly spec: Spec
  /** Makes it in the database. */
  readonly create: string
  /** Asks for each document and its key, as JSON texts. */
  readonly ask: string
}

/** So many views, each of which may be made of those before it. */
export function randomViews(
  tables: readonly TestTable[],
  random: Random,
  count: number,
): readonly RandomView[] {
  const relations = tables.map(relationOf)
  return Array.from({ length: count }, (_, i) => {
    // The third stands on another one for certain.
    const bases = i === 2 ? relations.slice(tables.length) : relations
    const { view, relation } = randomView(`v${i}`, random.pick(bases), { relations, random })
    relations.push(relation)
    return view
  })
}

function randomView(
  name: string,
  base: Relation,
  { relations, random }: { readonly relations: readonly Relation[]; readonly random: Random },
): { readonly view: RandomView; readonly relation: Relation } {
  const branch = new RandomBranch(random, base, { relations, depth: 2 })
  const members = branch.members.map(({ name, sql }) => `${sql} as ${quoted(`f:${name}`)}`)
  const keys = [...base.key].map(([column, sql]) => {
    return `${branch.alias}.${sql} as ${quoted(`k:${column}`)}`
  })
  const relation: Relation = {
    name,
    sql: name,
    root: base.root,
    key: new Map([...base.key.keys()].map((column) => [column, quoted(`k:${column}`)])),
    columns: branch.members.map(({ name, kind, render }) => {
      return { name, sql: quoted(`f:${name}`), kind, isTyped: false, render }
    }),
  }
  const view: RandomView = {
    name,
    spec: { root: base.name, ...branch.spec },
    create: `create view ${name} as ${branch.select([...keys, ...members, `${branch.document} as doc`])}`,
    ask: `select ${keyJson(relation, name)}::text as key, doc::text as document from ${name}`,
  }
  return { view, relation }
}

import { builtinTypes } from './builtin-types.ts'
import type { TypeInfo } from './type-info.ts'

/** Runs a query; values come back as the server's text. */
export type Query = (
  sql: string,
  params: readonly unknown[],
) => Promise<readonly Readonly<Record<string, unknown>>[]>

/**
 * The types of one database by OID. Built-in types are known from the start, others are looked up
 * when they are first asked for, with all that they consist of in one query, and then remembered.
 */
export class TypeCatalog {
  readonly #query: Query
  readonly #types = new Map<number, TypeInfo>(builtinTypes)

  constructor(query: Query) {
    this.#query = query
  }

  /** The type, if it was loaded before. */
  get(oid: number): TypeInfo | undefined {
    return this.#types.get(oid)
  }

  /** Looks up those of `oids` that are not known yet; afterwards `get` has an answer for each. */
  async load(oids: Iterable<number>): Promise<void> {
    const unknown = [...new Set(oids)].filter((oid) => !this.#types.has(oid))
    if (unknown.length === 0) return
    const rows = await this.#query(lookup, [`{${unknown.join(',')}}`])
    const entries = new Map<number, Entry>()
    for (const row of rows) {
      const entry = JSON.parse(String(row.type)) as Entry
      entries.set(entry.oid, entry)
    }
    for (const oid of unknown) this.#resolve(oid, entries)
  }

  /** Drops what was looked up, after a sign that a type has changed. */
  forget(): void {
    this.#types.clear()
    for (const [oid, type] of builtinTypes) this.#types.set(oid, type)
  }

  /** A type cannot contain itself, so the recursion ends. */
  #resolve(oid: number, entries: ReadonlyMap<number, Entry>): TypeInfo {
    const known = this.#types.get(oid)
    if (known !== undefined) return known
    const entry = entries.get(oid) ?? { ...missing, oid, name: `oid ${oid}` }
    const type = typeOf(entry, (part) => this.#resolve(part, entries))
    this.#types.set(oid, type)
    return type
  }
}

/** What the look-up says of one type. References are OIDs, 0 where there is none. */
interface Entry {
  readonly oid: number
  readonly name: string
  readonly namespace: string
  readonly delimiter: string
  readonly typtype: string
  readonly isArray: boolean
  readonly element: number
  readonly base: number
  readonly typmod: number
  readonly labels: readonly string[] | null
  readonly fields: readonly { name: string; type: number; typmod: number }[] | null
  readonly subtype: number | null
  readonly range: number | null
}

/** A type that was dropped before it could be looked up: its values are only text. */
const missing: Omit<Entry, 'oid' | 'name'> = {
  namespace: 'pg_catalog',
  delimiter: ',',
  typtype: 'p',
  isArray: false,
  element: 0,
  base: 0,
  typmod: -1,
  labels: null,
  fields: null,
  subtype: null,
  range: null,
}

function typeOf(entry: Entry, resolve: (oid: number) => TypeInfo): TypeInfo {
  const { oid, name, namespace, delimiter, typmod } = entry
  const named = { oid, name, namespace, delimiter }
  if (entry.isArray) return { ...named, kind: 'array', element: resolve(entry.element) }
  switch (entry.typtype) {
    case 'b':
      return { ...named, kind: 'base' }
    case 'd':
      return { ...named, kind: 'domain', base: resolve(entry.base), typmod }
    case 'e':
      return { ...named, kind: 'enum', labels: entry.labels ?? [] }
    case 'c':
      return {
        ...named,
        kind: 'composite',
        fields: (entry.fields ?? []).map((field) => ({ ...field, type: resolve(field.type) })),
      }
    case 'r':
      return { ...named, kind: 'range', subtype: resolve(entry.subtype ?? 0) }
    case 'm':
      return { ...named, kind: 'multirange', range: resolve(entry.range ?? 0) }
    default:
      return { ...named, kind: 'pseudo' }
  }
}

/**
 * The types and all that they consist of: a domain's base, an array's element, a composite's
 * attributes, a range's subtype, a multirange's range. int2vector and oidvector are subscripted
 * like arrays but print otherwise; they are built in.
 */
const lookup = `
WITH RECURSIVE wanted(oid) AS (
  SELECT unnest($1::oid[])
  UNION
  SELECT part.oid
  FROM wanted
  JOIN pg_catalog.pg_type t ON t.oid = wanted.oid
  CROSS JOIN LATERAL (
    SELECT t.typbasetype WHERE t.typtype = 'd'
    UNION ALL
    SELECT t.typelem WHERE t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc
    UNION ALL
    SELECT a.atttypid FROM pg_catalog.pg_attribute a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid
    UNION ALL
    SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid
  ) AS part(oid)
)
SELECT json_build_object(
  'oid', t.oid::int8,
  'name', t.typname,
  'namespace', n.nspname,
  'delimiter', t.typdelim,
  'typtype', t.typtype,
  'isArray', t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc,
  'element', t.typelem::int8,
  'base', t.typbasetype::int8,
  'typmod', t.typtypmod,
  'labels', (
    SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)
    FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid
  ),
  'fields', (
    SELECT json_agg(
      json_build_object('name', a.attname, 'type', a.atttypid::int8, 'typmod', a.atttypmod)
      ORDER BY a.attnum
    )
    FROM pg_catalog.pg_attribute a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  ),
  'subtype', (SELECT r.rngsubtype::int8 FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid),
  'range', (SELECT r.rngtypid::int8 FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid)
)::text AS type
FROM wanted
JOIN pg_catalog.pg_type t ON t.oid = wanted.oid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`

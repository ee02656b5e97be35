/** A type of the database, resolved down to what its text consists of. */
export type TypeInfo =
  | BaseType
  | EnumType
  | PseudoType
  | DomainType
  | ArrayType
  | CompositeType
  | RangeType
  | MultirangeType

interface Named {
  readonly oid: number
  readonly name: string
  readonly namespace: string
  /** Separates the elements of an array of this type: `,`, but `;` for `box`. */
  readonly delimiter: string
}

export interface BaseType extends Named {
  readonly kind: 'base'
}

export interface EnumType extends Named {
  readonly kind: 'enum'
  /** In the enum's own order. */
  readonly labels: readonly string[]
}

/** A pseudo-type, or one that the catalog no longer has. */
export interface PseudoType extends Named {
  readonly kind: 'pseudo'
}

export interface DomainType extends Named {
  readonly kind: 'domain'
  readonly base: TypeInfo
  /** The base type's modifier; a column of a domain has none of its own. */
  readonly typmod: number
}

export interface ArrayType extends Named {
  readonly kind: 'array'
  readonly element: TypeInfo
}

export interface CompositeType extends Named {
  readonly kind: 'composite'
  readonly fields: readonly CompositeField[]
}

export interface CompositeField {
  readonly name: string
  readonly type: TypeInfo
  readonly typmod: number
}

export interface RangeType extends Named {
  readonly kind: 'range'
  readonly subtype: TypeInfo
}

export interface MultirangeType extends Named {
  readonly kind: 'multirange'
  readonly range: TypeInfo
}

/** As a user writes it: `int4`, `numeric(10,2)`, `varchar(25)[]`, `public.mood`. */
export function describeType(type: TypeInfo, typmod: number): string {
  if (type.kind === 'array') return `${describeType(type.element, typmod)}[]`
  if (type.namespace !== 'pg_catalog') return `${type.namespace}.${type.name}`
  return type.name + describeModifier(type.name, typmod)
}

/** Scale and precision share a number; the scale is a signed value of eleven bits. */
export function numericScale(typmod: number): number {
  return (((typmod - headerBytes) & 0x7ff) ^ 0x400) - 0x400
}

/** Digits of a second's fraction; 6 where the column does not say. */
export function secondsPrecision(typmod: number): number {
  return typmod < 0 ? 6 : Math.min(typmod & 0xffff, 6)
}

/** The length modifier of strings and numeric counts the value's own header. */
const headerBytes = 4

function describeModifier(name: string, typmod: number): string {
  if (typmod < 0) return ''
  switch (name) {
    case 'numeric':
      return `(${(typmod - headerBytes) >> 16},${numericScale(typmod)})`
    case 'bpchar':
    case 'varchar':
      return `(${typmod - headerBytes})`
    case 'bit':
    case 'varbit':
    case 'time':
    case 'timetz':
    case 'timestamp':
    case 'timestamptz':
      return `(${typmod})`
    default:
      return ''
  }
}

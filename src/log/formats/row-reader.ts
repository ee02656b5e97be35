import type { Column } from '../../core/schema.ts'
import { type ConnectMember, type ConnectSchema, isEnvelope } from './connect-schema.ts'
import { isPlaceholder } from './placeholder.ts'
import { member, objectText, type Rendering, rendered, renderingOf } from './render.ts'

/** Columns that have no value in a row, because it was not sent: unchanged TOAST, mostly. */
export interface Holes {
  /** The columns that an old row has, if it has not all. */
  readonly sentBefore?: readonly string[]
  /** Known before. */
  readonly without: readonly string[]
  /** Told by Debezium's placeholder; their names are added to `found`. */
  readonly byPlaceholder?: boolean
  readonly found: string[]
}

export const noHoles: Holes = { without: [], found: [] }

/** A key or a value as the log has it, and the columns that its schema tells of. */
export interface Decoded {
  readonly bytes: Uint8Array
  readonly columns: readonly Column[]
}

interface Member extends Rendering {
  /** Among the values. */
  readonly field: string
  /** The column's. */
  readonly name: string
}

/** Writes rows, or changes of rows, or keys, of one schema as JSON text. */
export class RowReader {
  /** Of the rows; none where they are not described. */
  readonly columns: readonly Column[]
  readonly #rendering: Rendering
  #isPlain: boolean | undefined
  readonly #isEnvelope: boolean
  readonly #row: (value: unknown, holes: Holes) => string
  readonly #members: readonly Member[]
  readonly #others: readonly Member[]

  constructor(schema: ConnectSchema) {
    const { fields = [] } = schema
    this.#isEnvelope = isEnvelope(schema)
    const state = this.#isEnvelope ? fields.find(({ field }) => field === 'after')! : schema
    const members = (state.fields ?? []).map(memberOf)
    this.columns = members.map(({ name, kind, type, element }) => ({
      ...{ name, kind, type, key: false },
      ...(element !== undefined && { element }),
    }))
    this.#members = members
    const whole = renderingOf(state)
    this.#row = members.length === 0 ? (value) => rendered(whole, value) : rowOf(members)
    this.#rendering = renderingOf(schema)
    const isState = ({ field }: ConnectMember) => field === 'before' || field === 'after'
    this.#others = fields.filter((each) => !isState(each)).map(memberOf)
  }

  /** Whether what came as JSON can stay as it is. */
  get isPlain(): boolean {
    this.#isPlain ??= this.#rendering.isPlain()
    return this.#isPlain
  }

  read(value: unknown, holes: Holes = noHoles): string {
    if (!this.#isEnvelope) return this.#row(value, holes)
    const { before, after, ...rest } = value as Readonly<Record<string, unknown>>
    const state = (each: unknown, own: Holes) =>
      each === null || each === undefined ? 'null' : this.#row(each, own)
    const { byPlaceholder = false } = holes
    const inBefore = { without: this.#notSent(holes), found: [], byPlaceholder }
    const others = this.#others.filter(({ field }) => member(rest, field) != null)
    return objectText([
      ['before', state(before, inBefore)],
      ['after', state(after, holes)],
      ...others.map((each) => [each.name, each.render(withoutNulls(rest[each.field]))] as const),
    ])
  }

  #notSent({ sentBefore }: Holes): readonly string[] {
    if (sentBefore === undefined) return []
    return this.#members.flatMap(({ name }) => (sentBefore.includes(name) ? [] : [name]))
  }
}

function memberOf(schema: ConnectMember): Member {
  const { field, column = field } = schema
  return { field, name: column, ...renderingOf(schema) }
}

function rowOf(members: readonly Member[]) {
  return (value: unknown, { without, byPlaceholder, found }: Holes): string => {
    const row = value as Readonly<Record<string, unknown>>
    const texts: (readonly [string, string])[] = []
    for (const column of members) {
      const { field, name } = column
      const each = member(row, field)
      if (each === undefined || without.includes(name)) continue
      if (byPlaceholder && isPlaceholder(each)) found.push(name)
      else texts.push([name, rendered(column, each)])
    }
    return objectText(texts)
  }
}

/** What Avro has to have a null for, JSON leaves out. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null))
}

/*
 * Where a document belongs: by default in the one index, on the shard that its id falls to. Both
 * may depend on the row instead:
 *
 *   index: orders-{created_at:yyyy.MM}    orders-2025.01     from the digits of a date or time
 *   routing: "{customer_id}"              42                 from the text of a column
 *
 * So a document may move when its row changes. The row before tells from where.
 */
import { columnText } from './members.ts'

export interface Placement {
  readonly index?: string | undefined
  readonly routing?: string | undefined
}

/** Why a row has no place: to be read by the one who finds the dead letter. */
export class NoPlace extends Error {}

/** Throws NoPlace if the row lacks what decides. `undefined`: every row has the same. */
export type PlaceOf = (row: Uint8Array) => Placement

/** The part of an index name that depends on a row, such as `{created_at:yyyy.MM}`. */
export const timePattern = /\{([^{}:]+):((?:yyyy|MM|dd|HH|[._-])+)\}/

export function isFamily(index: string): boolean {
  return timePattern.test(index)
}

/** What names all indexes of a family, for searches: `orders-*`. */
export function familyPattern(index: string): string {
  return index.replace(timePattern, '*')
}

export function placement(index: string, routing: string | undefined): PlaceOf | undefined {
  const indexFor = isFamily(index) ? indexByTime(index) : undefined
  const routingFor = routing === undefined ? undefined : routingBy(routing)
  if (indexFor === undefined && routingFor === undefined) return undefined
  return (row) => ({ index: indexFor?.(row), routing: routingFor?.(row) })
}

export function isSamePlace(a: Placement, b: Placement): boolean {
  return a.index === b.index && a.routing === b.routing
}

function indexByTime(index: string): (row: Uint8Array) => string {
  const [whole, column, format] = timePattern.exec(index) as unknown as [string, string, string]
  return (row) => {
    const text = columnText(row, column)
    const [, yyyy, MM, dd, HH = '00'] =
      /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d))?/.exec(text ?? '') ?? []
    if (yyyy === undefined) {
      throw new NoPlace(
        `The column ${column} holds no time that names an index: ${text ?? 'null'}.`,
      )
    }
    const parts: Readonly<Record<string, string>> = { yyyy, MM: MM!, dd: dd!, HH }
    return index.replace(
      whole,
      format.replace(/yyyy|MM|dd|HH/g, (part) => parts[part]!),
    )
  }
}

function routingBy(template: string): (row: Uint8Array) => string {
  return (row) =>
    template.replace(/\{([^{}]+)\}/g, (_, column: string) => {
      const text = columnText(row, column)
      if (text !== undefined && text !== '') return text
      throw new NoPlace(`The column ${column} is empty, so the document has no routing.`)
    })
}

/*
 * Which tables, columns and messages are wanted. Lists follow Debezium: regular expressions,
 * separated by commas, each of which must match the whole name `schema.table` or
 * `schema.table.column`.
 */

/** Says whether a name is wanted. */
export type Selects = (name: string) => boolean

export interface Lists {
  readonly include?: string | undefined
  readonly exclude?: string | undefined
}

/** What an include list names, or else all that an exclude list does not. */
export function selects({ include, exclude }: Lists): Selects {
  if (include !== undefined) return matchesAny(include)
  if (exclude === undefined) return () => true
  const excluded = matchesAny(exclude)
  return (name) => !excluded(name)
}

export function matchesAny(list: string): Selects {
  const patterns = splitList(list).map((pattern) => new RegExp(`^(?:${pattern})$`, 'iu'))
  return (name) => patterns.some((pattern) => pattern.test(name))
}

export function splitList(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** `schema.table` with `*` for any characters. */
export function matchesGlob(pattern: string): Selects {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
    .join('.*')
  const expression = new RegExp(`^${source}$`, 'u')
  return (name) => expression.test(name)
}

/** `regex:column,column;regex:column`: the columns that make the key of a table. */
export function parseKeyColumns(text: string): (name: string) => readonly string[] | undefined {
  const rules = text
    .split(';')
    .filter((rule) => rule.trim() !== '')
    .map((rule) => {
      const at = rule.lastIndexOf(':')
      return { matches: matchesAny(rule.slice(0, at)), columns: splitList(rule.slice(at + 1)) }
    })
  return (name) => rules.find(({ matches }) => matches(name))?.columns
}

import type { TransformOptions } from './options.ts'

/** A table, as the WAL names it. */
export interface TableName {
  readonly namespace: string
  readonly name: string
}

/** Where a table's records go. */
export interface Place {
  readonly topic: string
  /** A member of every key that tells tables apart. */
  readonly keyField?: { readonly name: string; readonly value: string } | undefined
  /** Several tables may go there. */
  readonly isShared: boolean
}

export interface Naming {
  readonly placeOf: (table: TableName) => Place
  /** Topics that the options themselves name. */
  readonly topics: readonly string[]
  /** A column's name in records. */
  readonly columnOf: (table: TableName, column: string) => string
}

/** What topics and columns are called. */
export function namingOf(prefix: string, { rename, route = [] }: TransformOptions): Naming {
  const routes = route.map((options) => ({
    options,
    matches: new RegExp(`^(?:${options['topic.regex']})$`, 'u'),
  }))
  const replacements = route.map((options) => options['topic.replacement'])
  return {
    topics: [
      ...Object.values(rename?.topics ?? {}),
      ...replacements.filter((topic) => !topic.includes('$')),
    ],
    columnOf: ({ namespace, name }, column) =>
      rename?.columns[`${namespace}.${name}.${column}`] ?? column,
    placeOf: ({ namespace, name }) => {
      const first = rename?.topics[`${namespace}.${name}`] ?? topicOf(prefix, { namespace, name })
      const found = routes.find(({ matches }) => matches.test(first))
      if (found === undefined) return { topic: first, isShared: false }
      const { options, matches } = found
      const topic = sanitized(first.replace(matches, options['topic.replacement']))
      if (!options['key.enforce.uniqueness']) return { topic, isShared: true }
      const value = options['key.field.regex']
      const part = value && new RegExp(`^(?:${value})$`, 'u')
      return {
        topic,
        isShared: true,
        keyField: {
          name: options['key.field.name'],
          value: part ? first.replace(part, options['key.field.replacement'] ?? '$&') : first,
        },
      }
    },
  }
}

/** `<prefix>.<schema>.<table>`. */
export function topicOf(prefix: string, { namespace, name }: TableName): string {
  return sanitized(`${prefix}.${namespace}.${name}`)
}

/** A character that Kafka allows in no topic becomes `_`. */
export function sanitized(topic: string): string {
  return topic.replace(/[^A-Za-z0-9._-]/gu, '_')
}

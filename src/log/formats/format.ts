/**
 * How keys and values look to other programs: as they are in the embedded log (`json`), with Kafka
 * Connect's schemas beside them (`connect`), or in Avro or JSON with the id of a schema in a
 * registry before them.
 */
export const formatNames = ['json', 'connect', 'avro', 'json-schema'] as const

export type FormatName = (typeof formatNames)[number]

/** The formats of a topic. */
export interface TopicFormat {
  readonly key: FormatName
  readonly value: FormatName
}

/** Whether a registry is needed for it. */
export function usesRegistry({ key, value }: TopicFormat): boolean {
  return [key, value].some((name) => name === 'avro' || name === 'json-schema')
}

/** A record's key and value in its topic. */
export interface Encoded {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** What has to be said beside them. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Header on a record that is not plain JSON: its format, or those of its key and its value. */
export const formatHeader = 'millrace.format'

export function formatText({ key, value }: TopicFormat): string {
  return key === value ? value : `${key} ${value}`
}

/** `undefined` if the text names no formats. */
export function parseFormat(text: string): TopicFormat | undefined {
  const [key, value = key] = text.split(' ')
  const isKnown = (name: string | undefined): name is FormatName =>
    formatNames.includes(name as FormatName)
  return isKnown(key) && isKnown(value) ? { key, value } : undefined
}

/** Header on a change: the columns that its old row has, a JSON array, if it lacks others. */
export const sentHeader = 'millrace.before'

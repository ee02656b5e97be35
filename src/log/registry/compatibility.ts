import avro from 'avsc'
import type { SchemaType } from './client.ts'

/** Whether readers with the one schema can read what was written with the other. */
export const levels = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const

export type Level = (typeof levels)[number]

/** Why a schema must not come after those before it, oldest first; empty if it may. */
export function incompatibilities(
  schema: string,
  before: readonly string[],
  { level, type }: { readonly level: Level; readonly type: SchemaType },
): readonly string[] {
  const [direction] = level.split('_')
  if (direction === 'NONE') return []
  const compared = level.endsWith('TRANSITIVE') ? before : before.slice(-1)
  const reads = type === 'AVRO' ? avroReads : jsonReads
  return compared.flatMap((older) => [
    ...(direction === 'FORWARD' ? [] : reads(schema, older)),
    ...(direction === 'BACKWARD' ? [] : reads(older, schema)),
  ])
}

/** Throws if the text is no schema of its type. */
export function checkSchema(schema: string, type: SchemaType): void {
  const parsed = JSON.parse(schema) as avro.Schema
  if (type === 'AVRO') avro.Type.forSchema(parsed)
}

function avroReads(reader: string, writer: string): readonly string[] {
  const [to, from] = [reader, writer].map((text) =>
    avro.Type.forSchema(JSON.parse(text) as avro.Schema),
  )
  try {
    to!.createResolver(from!)
    return []
  } catch (error) {
    return [(error as Error).message.split('\n')[0]!]
  }
}

type JsonSchema = { readonly [name: string]: unknown } & {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly oneOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
}

function jsonReads(reader: string, writer: string): readonly string[] {
  return differences(JSON.parse(reader) as JsonSchema, JSON.parse(writer) as JsonSchema, '')
}

/** What may be absent may come and go; what is there keeps its type. */
function differences(reader: JsonSchema, writer: JsonSchema, path: string): string[] {
  const found: string[] = []
  const [to, from] = [reader, writer].map((each) => JSON.stringify(each.type ?? null))
  if (to !== from && reader.type !== undefined) found.push(`${path || '#'}: ${from} became ${to}`)
  for (const name of reader.required ?? []) {
    if (!writer.required?.includes(name)) found.push(`${path}/${name} is required`)
  }
  for (const [name, property] of Object.entries(reader.properties ?? {})) {
    const older = writer.properties?.[name]
    if (older !== undefined) found.push(...differences(property, older, `${path}/${name}`))
  }
  const [some, others] = [reader.oneOf ?? [], writer.oneOf ?? []]
  for (const [i, each] of some.entries()) {
    const older = others[i]
    if (older !== undefined) found.push(...differences(each, older, path))
  }
  if (reader.items && writer.items)
    found.push(...differences(reader.items, writer.items, `${path}[]`))
  return found
}

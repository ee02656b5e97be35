/*
 * Indexes by time come in generations: `orders-2025.01`, then `orders-2025.01-r2`. The one that
 * serves has the alias; the next is filled beside it by `millrace reindex`. Here a generation is
 * named by what its indexes are made from: `orders-{created_at:yyyy.MM}-r2`.
 */
import type { ElasticsearchClient } from './client.ts'
import { familyPattern, timePattern } from './placement.ts'

/** The generation that an index belongs to, from 1 on; `undefined`: to no family of this name. */
export function generationOf(family: string, index: string): number | undefined {
  const [head = '', tail = ''] = family.replace(timePattern, '\n').split('\n').map(escapePattern)
  const found = new RegExp(`^${head}[\\d._-]+${tail}(?:-r(\\d+))?$`).exec(index)
  return found === null ? undefined : Number(found[1] ?? 1)
}

/** What the indexes of a generation are made from. */
export function inGeneration(family: string, generation: number): string {
  return generation === 1 ? family : `${family}-r${generation}`
}

/** Finds the indexes of one generation, and no others of the family. */
export function searchPattern(family: string): string {
  const pattern = familyPattern(family)
  return pattern === family ? family : `${pattern},-${pattern}-r*`
}

/** The newest generation that has the alias; `undefined`: nothing has it. */
export async function servingGeneration(
  client: ElasticsearchClient,
  family: string,
  alias: string,
): Promise<string | undefined> {
  const names = await indexesWith(client, alias)
  const generations = names.flatMap((name) => generationOf(family, name) ?? [])
  return generations.length === 0 ? undefined : inGeneration(family, Math.max(...generations))
}

/** The indexes that an alias names. */
export async function indexesWith(
  client: ElasticsearchClient,
  alias: string,
): Promise<readonly string[]> {
  const path = `/_alias/${encodeURIComponent(alias)}`
  const { status, body } = await client.call<object>({ method: 'GET', path }, [404])
  return status === 404 ? [] : Object.keys(body)
}

/** The indexes of a generation that this sink has made, or its `reindex`. */
export async function membersOf(
  client: ElasticsearchClient,
  family: string,
  { pipeline, sink }: Mark,
): Promise<readonly string[]> {
  const path = `/${familyPattern(family)}/_mapping?expand_wildcards=open`
  const { body } = await client.call<Mappings>({ method: 'GET', path }, [404])
  return Object.entries(body).flatMap(([name, { mappings }]) => {
    const mark = mappings?._meta?.millrace
    const isOurs = mark?.pipeline === pipeline && ownerOf(mark.sink) === ownerOf(sink)
    return isOurs && generationOf(family, name) === 1 ? [name] : []
  })
}

function escapePattern(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
}

/** The sink for which a side of it has made something. */
function ownerOf(sink: string): string {
  return sink.split('~')[0]!
}

interface Mark {
  readonly pipeline: string
  readonly sink: string
}

type Mappings = Readonly<
  Record<string, { readonly mappings?: { readonly _meta?: { readonly millrace?: Mark } } }>
>

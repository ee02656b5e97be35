import type { Json } from '../core/json.ts'
import type { Queryable, QueryableEntry } from '../core/queryable.ts'
import { getMany, getOne, Refused } from './answers.ts'
import type { Holder, Routed, StoreOf } from './holder.ts'
import { type Answer, type Asked, answerFrom, JsonText } from './relay.ts'

/** One key's value, from the partition that has the key. */
export function answerOne(
  holder: Holder<Queryable>,
  key: Json,
  search: URLSearchParams,
  asked: Asked,
): Promise<Answer> {
  return answerFrom(holder, holder.partitionOf(key), asked, (store) => getOne(store, key, search))
}

/** Entries of all partitions, in the order of their keys. */
export async function answerMany(
  holder: Holder<Queryable>,
  search: URLSearchParams,
  asked: Asked,
): Promise<Answer> {
  const read = (store: Queryable) => getMany(store, search)
  const only = holder.partitions === 1 ? 0 : asked.partition
  if (only !== undefined) return answerFrom(holder, only, asked, read)
  const parts = await Promise.all(
    Array.from({ length: holder.partitions }, (_, each) => answerFrom(holder, each, asked, read)),
  )
  const failed = parts.find(({ status }) => status !== 200)
  if (failed !== undefined) return failed
  const ages = parts.flatMap(({ ageMs }) => ageMs ?? [])
  const entries = parts.flatMap(({ value }) => entriesOf(value)).sort(byKey)
  const limit = Math.min(Number(search.get('limit') ?? 100), entries.length)
  const ageMs = ages.length === 0 ? undefined : Math.max(...ages)
  return { value: entries.slice(0, limit), status: 200, ageMs }
}

function entriesOf(value: unknown): readonly QueryableEntry[] {
  if (!(value instanceof JsonText)) return value as readonly QueryableEntry[]
  return JSON.parse(value.text, exactInteger) as readonly QueryableEntry[]
}

/** An integer that a double cannot hold becomes a bigint. */
function exactInteger(_name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}

function byKey(a: QueryableEntry, b: QueryableEntry): number {
  const [one, other] = [JSON.stringify(a.key), JSON.stringify(b.key)]
  if (one !== other) return one < other ? -1 : 1
  return (a.start ?? 0) - (b.start ?? 0)
}

/** Thrown where a route looks at the state of another partition. */
class Elsewhere extends Error {
  readonly partition: number

  constructor(partition: number) {
    super('the key is in another partition')
    this.partition = partition
  }
}

/** What a route of the user's answers, where the keys are that it looks at. */
export async function answerRouted({ holder, run }: Routed, asked: Asked): Promise<Answer> {
  const partition = holder.partitions === 1 ? 0 : (asked.partition ?? firstPartition(holder, run))
  const read = (store: StoreOf) => {
    const looked = holder.partitions === 1 ? store : limited(holder, partition, store)
    const found = run(looked)
    if (found === undefined) throw notFound(asked.path)
    return found.value
  }
  try {
    return await answerFrom(holder, partition, asked, read)
  } catch (error) {
    if (!(error instanceof Elsewhere)) throw error
    const message = 'The route looks at keys that lie in several partitions.'
    throw new Refused(501, 'several_partitions', message)
  }
}

export function notFound(path: string): Refused {
  return new Refused(404, 'not_found', `There is nothing at ${path.split('?')[0]}.`)
}

/** The partition of the first key that it looks at; if it looks at none, any will do. */
function firstPartition(holder: Holder<StoreOf>, run: Routed['run']): number {
  try {
    run(limited(holder, undefined, () => undefined))
    return 0
  } catch (error) {
    if (error instanceof Elsewhere) return error.partition
    throw error
  }
}

/** Stores of which only one partition can be looked at. */
function limited(
  holder: Holder<StoreOf>,
  partition: number | undefined,
  storeOf: StoreOf,
): StoreOf {
  const check = (key: Json) => {
    const wanted = holder.partitionOf(key)
    if (wanted !== partition) throw new Elsewhere(wanted)
  }
  return (name) => {
    const store = storeOf(name)
    if (store === undefined && partition !== undefined) return undefined
    return {
      get: (key) => {
        check(key)
        return store!.get(key)
      },
      entries: () => {
        throw new Elsewhere(-1)
      },
      versions: {
        asOf: (key, time) => {
          check(key)
          return store!.versions?.asOf(key, time) ?? null
        },
      },
    }
  }
}

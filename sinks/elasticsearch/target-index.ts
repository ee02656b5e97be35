/*
 * The index that a sink writes, and how it is told from another of the same name: by its UUID, new
 * with every creation, and the history UUID of each primary shard, new with every restore.
 *
 *   {"uuid":"vEGH…","history":["xocB…","yDgg…"],"made":true}
 */
import { MillraceError } from '../../src/core/errors.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { ElasticsearchClient } from './client.ts'
import { type Fields, isMadeUp } from './mapping.ts'
import type { ElasticsearchOptions } from './options.ts'

export interface TargetIndexOptions
  extends Pick<ElasticsearchOptions, 'dynamic' | 'settings' | 'gcDeletes'> {
  readonly index: string
  /** Fields that are mapped from the start. */
  readonly mapping: Fields
  /** The alias for readers, as the server describes it. */
  readonly alias: Readonly<Record<string, object>>
  /** Name of the index template that is kept for a family. */
  readonly template?: string | undefined
  /** Written into the index, to know it as our own. */
  readonly mark: { readonly pipeline: string; readonly sink: string }
}

export class TargetIndex {
  readonly #client: ElasticsearchClient
  readonly #options: TargetIndexOptions
  readonly #path: string
  #uuid = ''
  #shards = 0
  #made = true

  constructor(client: ElasticsearchClient, options: TargetIndexOptions) {
    this.#client = client
    this.#options = options
    this.#path = `/${encodeURIComponent(options.index)}`
  }

  /**
   * Makes the index unless it is there, and returns its identity. One that somebody else has made
   * is taken as it is; but one that the server made up for our own documents, after the index
   * `known` was deleted, has no mapping worth having and is made anew.
   */
  async ensure(known: string | undefined): Promise<string> {
    let found = await this.#find()
    if (found !== undefined && known !== undefined && isLeftover(found, known)) {
      await this.#delete(found)
      found = undefined
    }
    if (found === undefined) return this.#create()
    this.#keep(found)
    const { mapping, alias } = this.#options
    if (this.#made && Object.keys(mapping).length > 0) await this.#map({ properties: mapping })
    if (this.#made) await this.#keepAlias(alias, found)
    return this.#started(await this.identity())
  }

  /** Makes the index anew, empty. One of somebody else keeps its mapping, settings and aliases. */
  async recreate(): Promise<string> {
    const found = await this.#find()
    if (found === undefined) return this.#create()
    await this.#delete(found)
    return this.#create(found)
  }

  has(index: string): boolean {
    return index === this.#options.index
  }

  isSame(known: string, now: string): boolean {
    return known === now
  }

  /** `undefined` if there is no index. */
  async identity(): Promise<string | undefined> {
    const path = `${this.#path}/_stats/docs?level=shards&filter_path=${identityFilter}`
    const { status, body } = await this.#client.call<Stats>({ method: 'GET', path }, [404])
    const stats = Object.values(body.indices ?? {})[0]
    if (status === 404 || stats === undefined) return undefined
    const history: string[] = []
    for (const [shard, copies] of Object.entries(stats.shards ?? {})) {
      const primary = copies.find(({ routing }) => routing.primary)
      if (primary !== undefined) history[Number(shard)] = primary.commit.user_data.history_uuid
    }
    // A shard that is only starting has no history to compare.
    const known = Object.keys(history).length
    if (stats.uuid === this.#uuid && known < this.#shards) throw this.#notStarted()
    return JSON.stringify({ uuid: stats.uuid, history, made: this.#made })
  }

  /**
   * Adds the fields of columns to the mapping of an index that we have made; any other is its
   * owner's. What comes without a column from then on is refused, unless an option says otherwise.
   */
  async addFields(properties: Fields): Promise<void> {
    const { dynamic } = this.#options
    if (this.#made)
      await this.#map({ ...(dynamic === undefined && { dynamic: 'strict' }), properties })
  }

  /**
   * What is in an index of ours, as JSON: the newest sequence number of each shard. `undefined` if
   * there is nothing, or if others write to the index, too.
   */
  async placesToSweep(isAlone: () => Promise<boolean>): Promise<string | undefined> {
    if (!this.#made) return undefined
    const filter = 'indices.*.shards.*.routing.primary,indices.*.shards.*.seq_no.max_seq_no'
    const path = `${this.#path}/_stats/docs?level=shards&filter_path=${filter}`
    const { body } = await this.#client.call<SequenceStats>({ method: 'GET', path })
    const remains: number[] = []
    for (const [shard, copies] of Object.entries(Object.values(body.indices)[0]!.shards)) {
      const primary = copies.find(({ routing }) => routing.primary)
      remains[Number(shard)] = primary?.seq_no.max_seq_no ?? -1
    }
    const isEmpty = remains.every((newest) => newest < 0)
    if (isEmpty || !(await isAlone())) return undefined
    return JSON.stringify(remains satisfies Remains)
  }

  async #map(body: object): Promise<void> {
    await this.#client.call({ method: 'PUT', path: `${this.#path}/_mapping`, body })
  }

  async #keepAlias(alias: TargetIndexOptions['alias'], { name, aliases }: Found): Promise<void> {
    for (const [each, body] of Object.entries(alias)) {
      if (aliases[each] !== undefined) continue
      const path = `/${encodeURIComponent(name)}/_alias/${encodeURIComponent(each)}`
      await this.#client.call({ method: 'PUT', path, body })
    }
  }

  async #find(): Promise<Found | undefined> {
    const request = { method: 'GET', path: this.#path } as const
    const { status, body } = await this.#client.call<Described>(request, [404])
    if (status === 404) return undefined
    const [entry, ...others] = Object.entries(body)
    if (entry === undefined || others.length > 0) {
      const names = Object.keys(body).join(', ') || 'none'
      throw new MillraceError(
        'TARGET_MISCONFIGURED',
        `The alias ${this.#options.index} must name one index, not several: ${names}.`,
      )
    }
    const [name, { aliases, mappings, settings }] = entry
    return { name, aliases, mappings, settings, mark: mappings._meta?.millrace }
  }

  #keep({ settings, mark }: Found): void {
    this.#uuid = settings.index.uuid
    this.#shards = Number(settings.index.number_of_shards)
    this.#made = mark !== undefined
  }

  async #delete({ name }: Found): Promise<void> {
    await this.#client.call({ method: 'DELETE', path: `/${encodeURIComponent(name)}` }, [404])
  }

  async #create(copy?: Found): Promise<string> {
    const { index } = this.#options
    const path = `/${encodeURIComponent(copy?.name ?? index)}`
    const isOurs = copy === undefined || copy.mark !== undefined
    const body = isOurs ? definitionOf(this.#options, copy?.aliases) : copyOf(copy)
    // 400: somebody was faster; or the definition is wrong, and then there is nothing to find.
    const { status, body: answer } = await this.#client.call<CreateAnswer>(
      { method: 'PUT', path, body },
      [400],
    )
    const found = await this.#find()
    if (found === undefined) throw refusedDefinition(index, status, answer)
    this.#keep(found)
    return this.#started(await this.identity())
  }

  #started(identity: string | undefined): string {
    if (identity === undefined) throw this.#notStarted()
    return identity
  }

  #notStarted(): MillraceError {
    const what = `A primary shard of the index ${this.#options.index} has not started.`
    return new MillraceError('TARGET_BUSY', what)
  }
}

/** An index of ours, as it is made. */
export function definitionOf(
  { mark, mapping, dynamic = true, settings, gcDeletes, alias }: TargetIndexOptions,
  aliases: Readonly<Record<string, object>> = {},
): object {
  return {
    aliases: { ...aliases, ...alias },
    settings: { 'index.gc_deletes': gcDeletes, ...settings },
    mappings: { _meta: { millrace: mark }, dynamic, properties: mapping },
  }
}

/** The index when no option names one: the topic without its pipeline, in allowed characters. */
export function indexOf({ pipeline, topic }: SinkContext): string {
  const prefix = `${pipeline}.`
  const view = topic.startsWith(prefix) ? topic.slice(prefix.length) : topic
  return view
    .toLowerCase()
    .replace(/[\s\\/*?"<>|,#:]/g, '-')
    .replace(/^[-_+.]+/, '')
}

const identityFilter = [
  'indices.*.uuid',
  'indices.*.shards.*.routing.primary',
  'indices.*.shards.*.commit.user_data.history_uuid',
].join(',')

interface Stats {
  readonly indices?: Readonly<Record<string, IndexStats>>
}

interface IndexStats {
  readonly uuid: string
  readonly shards?: Readonly<Record<string, readonly ShardStats[]>>
}

interface ShardStats {
  readonly routing: { readonly primary: boolean }
  readonly commit: { readonly user_data: { readonly history_uuid: string } }
}

/** By shard: the newest sequence number of what shall be rewritten or removed. */
export type Remains = readonly number[]

interface SequenceStats {
  readonly indices: Readonly<
    Record<
      string,
      {
        readonly shards: Readonly<
          Record<
            string,
            readonly {
              readonly routing: { readonly primary: boolean }
              readonly seq_no: { readonly max_seq_no: number }
            }[]
          >
        >
      }
    >
  >
}

type Described = Readonly<Record<string, Description>>

interface Description {
  readonly aliases: Readonly<Record<string, object>>
  readonly mappings: { readonly _meta?: { readonly millrace?: object } }
  readonly settings: {
    readonly index: { readonly number_of_shards: string; readonly uuid: string }
  }
}

interface Found extends Description {
  /** The index's own name, also if it was asked for by an alias. */
  readonly name: string
  readonly mark: object | undefined
}

interface CreateAnswer {
  readonly error?: { readonly type: string; readonly reason: string }
}

function isLeftover({ mappings, settings, mark }: Found, known: string): boolean {
  const { uuid, made } = JSON.parse(known) as { readonly uuid: string; readonly made: boolean }
  const isMarked = mark !== undefined
  return made && !isMarked && uuid !== settings.index.uuid && isMadeUp({ ...mappings })
}

/** Settings that the server gives itself, and takes from nobody. */
const ownSettings = ['uuid', 'creation_date', 'version', 'provided_name', 'resize', 'history']

function copyOf({ aliases, mappings, settings }: Found): object {
  const kept = Object.entries(settings.index).filter(([name]) => !ownSettings.includes(name))
  return { aliases, mappings, settings: { index: Object.fromEntries(kept) } }
}

function refusedDefinition(index: string, status: number, { error }: CreateAnswer): MillraceError {
  const why = error === undefined ? `status ${status}` : `${error.type}: ${error.reason}`
  return new MillraceError('TARGET_MISCONFIGURED', `The index ${index} cannot be made: ${why}.`)
}

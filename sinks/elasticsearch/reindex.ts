/*
 * The index that serves is named as the option says, `orders`, or is one that has this name as an
 * alias: `orders-r2`. The next is `orders-r3`, and takes over the name, with every other alias, in
 * one request. An index that bears the name itself is cloned to `orders-r1` before, so that there
 * is one to go back to. Indexes by time are exchanged as a whole generation (generations.ts).
 */
import type { StoredCheckpoint } from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { Reading } from '../../src/core/reading.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Reindexing } from '../../src/core/reindexing.ts'
import type { Sink } from '../../src/core/sink.ts'
import { CheckpointDocument } from './checkpoint-document.ts'
import { ElasticsearchClient } from './client.ts'
import { indexesWith, inGeneration, membersOf, servingGeneration } from './generations.ts'
import type { ElasticsearchOptions } from './options.ts'
import { describe } from './parts.ts'
import { familyPattern, isFamily } from './placement.ts'
import { ElasticsearchReading } from './reading.ts'
import { nextName, previousName } from './sides.ts'
import { ElasticsearchSink } from './sink.ts'
import { indexOf, TargetIndex } from './target-index.ts'

export class ElasticsearchReindexing implements Reindexing {
  readonly #options: ElasticsearchOptions
  readonly #context: SinkContext
  readonly #client: ElasticsearchClient
  readonly #index: string

  constructor(options: ElasticsearchOptions, context: SinkContext) {
    this.#options = options
    this.#context = context
    this.#client = new ElasticsearchClient(options)
    this.#index = options.index ?? indexOf(context)
    if (!isFamily(this.#index) || options.alias !== undefined) return
    const what = `${this.#index} is a family of indexes: another generation of it can be exchanged only under an \`alias\`, by which readers find it.`
    throw new MillraceError('TARGET_MISCONFIGURED', what)
  }

  async open(): Promise<Sink<LogRecord>> {
    return new ElasticsearchSink(await this.#nextOptions(), this.#side(nextName))
  }

  async read(): Promise<Reading> {
    return new ElasticsearchReading(await this.#nextOptions(), this.#side(nextName))
  }

  async swap(): Promise<string> {
    const serving = await this.#serving()
    const next = nextOf(this.#index, serving.name)
    const filled = await this.#stored(nextName)
    if (filled === undefined) throw missing(`${next} was never filled.`)
    await this.#settle(next)
    const hasName = serving.name === this.#index && !isFamily(this.#index)
    const kept = hasName ? await this.#keepCopy() : serving.name
    await this.#note(previousName, kept)
    await this.#exchange(serving, next)
    await this.#drop(previousOf(this.#index, kept))
    return `${next} serves as ${this.#index} now; ${kept} is kept, for --rollback or --finish`
  }

  async rollback(): Promise<string> {
    const serving = await this.#serving()
    const previous = previousOf(this.#index, serving.name)
    if (previous === undefined || (await this.#indexesOf(previous)).length === 0) {
      throw missing('No index that served before is kept.')
    }
    await this.#exchange(serving, previous)
    await this.#drop(serving.name)
    await this.#forget(nextName)
    return `${previous} serves as ${this.#index} again; ${serving.name} was removed`
  }

  async cancel(): Promise<string> {
    const next = nextOf(this.#index, (await this.#serving()).name)
    await this.#drop(next)
    await this.#forget(nextName)
    return `${next} was removed; ${this.#index} serves as before`
  }

  async finish(): Promise<string> {
    const previous = previousOf(this.#index, (await this.#serving()).name)
    if (previous === undefined) throw missing('No index that served before is kept.')
    await this.#drop(previous)
    await this.#forget(previousName)
    await this.#forget(nextName)
    return `${previous} was removed`
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  /** Nobody searches it yet: without refreshes and copies it is filled a fifth faster. */
  async #nextOptions(): Promise<ElasticsearchOptions> {
    const { alias: _, template: __, settings, ...options } = this.#options
    const index = nextOf(this.#index, (await this.#serving()).name)
    const quick = { 'index.refresh_interval': '-1', 'index.number_of_replicas': 0 }
    return { ...options, index, settings: { ...flat(settings), ...quick } }
  }

  #side(nameOf: (sink: string) => string): SinkContext {
    return { ...this.#context, name: nameOf(this.#context.name) }
  }

  /** The settings that it shall serve with, and everything shown to searches. */
  async #settle(index: string): Promise<void> {
    const wanted = flat(this.#options.settings)
    const settings = Object.fromEntries(
      ['index.refresh_interval', 'index.number_of_replicas'].map((name) => [
        name,
        wanted[name] ?? null,
      ]),
    )
    const path = `/${encodeURIComponent(familyPattern(index))}`
    await this.#client.call({ method: 'PUT', path: `${path}/_settings`, body: settings })
    await this.#client.call({ method: 'POST', path: `${path}/_refresh` })
  }

  /** An alias cannot have the name of an index, so that index goes; its copy stays. */
  async #keepCopy(): Promise<string> {
    const copy = `${this.#index}-r1`
    const path = `/${encodeURIComponent(this.#index)}`
    const block = (index: string, value: true | null) =>
      this.#client.call({
        ...{ method: 'PUT', path: `/${encodeURIComponent(index)}/_settings` },
        body: { 'index.blocks.write': value },
      })
    await this.#drop(copy)
    await block(this.#index, true)
    try {
      const clone = `${path}/_clone/${encodeURIComponent(copy)}?wait_for_active_shards=1`
      await this.#client.call({ method: 'POST', path: clone })
    } finally {
      await block(this.#index, null)
    }
    await block(copy, null)
    return copy
  }

  /** Writes down how far an index has come that serves no longer. */
  async #note(nameOf: (sink: string) => string, index: string): Promise<void> {
    const main = await new CheckpointDocument(this.#client, this.#context).read()
    if (main === undefined) throw missing('The sink has no checkpoint yet.')
    const target = isFamily(index) ? main.target : await this.#identity(index)
    const side = new CheckpointDocument(this.#client, this.#side(nameOf))
    const { source, position, timestamp, config } = main
    const held = await side.claim({ source, target, config })
    if (position === null) return
    await side.advance({ source, position, timestamp }, { target: held.target, isSwept: true })
  }

  async #exchange(serving: Serving, next: string): Promise<void> {
    const actions = isFamily(next)
      ? await this.#familyActions(serving, next)
      : this.#indexActions(serving, next)
    if (actions.length === 0) return
    await this.#client.call({ method: 'POST', path: '/_aliases', body: { actions } })
  }

  #indexActions(serving: Serving, next: string): readonly object[] {
    const { name: index } = serving
    const isNamed = index === this.#index
    const aliases = Object.entries({ ...serving.aliases, ...(isNamed && { [this.#index]: {} }) })
    const removals = isNamed
      ? [{ remove_index: { index } }]
      : aliases.map(([alias]) => ({ remove: { index, alias } }))
    return [
      ...removals,
      ...aliases.map(([alias, body]) => ({ add: { ...body, index: next, alias } })),
    ]
  }

  async #familyActions(serving: Serving, next: string): Promise<readonly object[]> {
    const { alias: aliases } = describe(next, this.#options, this.#context)
    const [alias, body] = Object.entries(aliases)[0]!
    const now = await indexesWith(this.#client, alias)
    const old = (await this.#indexesOf(serving.name)).filter((name) => now.includes(name))
    const fresh = await this.#indexesOf(next)
    return [
      ...old.map((index) => ({ remove: { index, alias } })),
      ...fresh.map((index) => ({ add: { ...body, index, alias } })),
    ]
  }

  async #serving(): Promise<Serving> {
    if (isFamily(this.#index)) {
      const found = await servingGeneration(this.#client, this.#index, this.#options.alias!)
      return { name: found ?? this.#index, aliases: {} }
    }
    const path = `/${encodeURIComponent(this.#index)}/_alias`
    const { status, body } = await this.#client.call<Aliases>({ method: 'GET', path }, [404])
    const [entry] = Object.entries(body)
    if (status === 404 || entry === undefined) throw missing(`${this.#index} is not there yet.`)
    return { name: entry[0], aliases: entry[1].aliases }
  }

  /** The index of that name if it is there; those of a generation. */
  async #indexesOf(index: string): Promise<readonly string[]> {
    const { pipeline, name: sink } = this.#context
    if (isFamily(index)) return membersOf(this.#client, index, { pipeline, sink })
    const path = `/${encodeURIComponent(index)}/_alias`
    const { status } = await this.#client.call({ method: 'GET', path }, [404])
    return status === 200 ? [index] : []
  }

  async #identity(index: string): Promise<string> {
    const described = describe(index, this.#options, this.#context)
    const target = new TargetIndex(this.#client, { ...described, mapping: {}, alias: {} })
    return target.ensure(undefined)
  }

  #stored(nameOf: (sink: string) => string): Promise<StoredCheckpoint | undefined> {
    return new CheckpointDocument(this.#client, this.#side(nameOf)).read()
  }

  #forget(nameOf: (sink: string) => string): Promise<void> {
    return new CheckpointDocument(this.#client, this.#side(nameOf)).remove()
  }

  async #drop(index: string | undefined): Promise<void> {
    for (const name of index === undefined ? [] : await this.#indexesOf(index)) {
      await this.#client.call({ method: 'DELETE', path: `/${encodeURIComponent(name)}` }, [404])
    }
  }
}

interface Serving {
  /** The index's own name. */
  readonly name: string
  readonly aliases: Readonly<Record<string, object>>
}

type Aliases = Readonly<Record<string, { readonly aliases: Readonly<Record<string, object>> }>>

/** `orders` and `orders-r1` are the first, in a manner of speaking. */
function generationOf(base: string, name: string): number {
  const digits = name.startsWith(`${base}-r`) ? name.slice(base.length + 2) : ''
  return /^\d+$/.test(digits) ? Number(digits) : 1
}

function nextOf(base: string, name: string): string {
  return `${base}-r${generationOf(base, name) + 1}`
}

function previousOf(base: string, name: string): string | undefined {
  const generation = generationOf(base, name)
  if (generation === 1) return undefined
  // Of a family nothing had to be copied to make room for the name.
  return isFamily(base) ? inGeneration(base, generation - 1) : `${base}-r${generation - 1}`
}

/** `{"index": {"a": 1}}`, `{"a": 1}` and `{"index.a": 1}` mean the same. */
function flat(settings: object, path = ''): Record<string, unknown> {
  const entries = Object.entries(settings).flatMap(([name, value]): [string, unknown][] => {
    const full = path === '' ? name : `${path}.${name}`
    const isNested = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isNested ? Object.entries(flat(value as object, full)) : [[full, value]]
  })
  return Object.fromEntries(
    entries.map(([name, value]) => [name.startsWith('index.') ? name : `index.${name}`, value]),
  )
}

function missing(what: string): MillraceError {
  return new MillraceError('TARGET_MISCONFIGURED', what)
}

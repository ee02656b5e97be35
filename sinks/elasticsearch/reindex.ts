/*
 * The index that serves is named as the option says, `orders`, or is one that has this name as an
 * alias: `orders-r2`. The next is `orders-r3`, and takes over the name, with every other alias, in
 * one request. An index that bears the name itself is cloned to `orders-r1` before, so that there
 * is one to go back to.
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
import type { ElasticsearchOptions } from './options.ts'
import { isFamily } from './placement.ts'
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
    if (!isFamily(this.#index)) return
    const what = `${this.#index} is a family of indexes, which is filled anew by a refill.`
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
    const kept = serving.name === this.#index ? await this.#keepCopy() : serving.name
    await this.#note(previousName, kept)
    await this.#exchange(serving, next)
    await this.#drop(previousOf(this.#index, kept))
    return `${next} serves as ${this.#index} now; ${kept} is kept, for --rollback or --finish`
  }

  async rollback(): Promise<string> {
    const serving = await this.#serving()
    const previous = previousOf(this.#index, serving.name)
    if (previous === undefined || !(await this.#exists(previous))) {
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
    const { alias: _, settings, ...options } = this.#options
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
    const path = `/${encodeURIComponent(index)}`
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
    const target = await this.#identity(index)
    const side = new CheckpointDocument(this.#client, this.#side(nameOf))
    const { source, position, timestamp, config } = main
    const held = await side.claim({ source, target, config })
    if (position === null) return
    await side.advance({ source, position, timestamp }, { target: held.target, isSwept: true })
  }

  async #exchange(serving: Serving, next: string): Promise<void> {
    const isNamed = serving.name === this.#index
    const aliases = Object.entries({ ...serving.aliases, ...(isNamed && { [this.#index]: {} }) })
    const index = serving.name
    const removals = isNamed
      ? [{ remove_index: { index } }]
      : aliases.map(([alias]) => ({ remove: { index, alias } }))
    const additions = aliases.map(([alias, body]) => ({ add: { ...body, index: next, alias } }))
    const body = { actions: [...removals, ...additions] }
    await this.#client.call({ method: 'POST', path: '/_aliases', body })
  }

  async #serving(): Promise<Serving> {
    const path = `/${encodeURIComponent(this.#index)}/_alias`
    const { status, body } = await this.#client.call<Aliases>({ method: 'GET', path }, [404])
    const [entry] = Object.entries(body)
    if (status === 404 || entry === undefined) throw missing(`${this.#index} is not there yet.`)
    return { name: entry[0], aliases: entry[1].aliases }
  }

  async #exists(index: string): Promise<boolean> {
    const path = `/${encodeURIComponent(index)}/_alias`
    return (await this.#client.call({ method: 'GET', path }, [404])).status === 200
  }

  async #identity(index: string): Promise<string> {
    const { settings, gcDeletes, dynamic } = this.#options
    const { pipeline, name } = this.#context
    const mark = { pipeline, sink: name }
    const target = new TargetIndex(this.#client, {
      ...{ index, settings, gcDeletes, dynamic, mark, mapping: {}, alias: {} },
    })
    return target.ensure(undefined)
  }

  #stored(nameOf: (sink: string) => string): Promise<StoredCheckpoint | undefined> {
    return new CheckpointDocument(this.#client, this.#side(nameOf)).read()
  }

  #forget(nameOf: (sink: string) => string): Promise<void> {
    return new CheckpointDocument(this.#client, this.#side(nameOf)).remove()
  }

  async #drop(index: string | undefined): Promise<void> {
    if (index === undefined) return
    await this.#client.call({ method: 'DELETE', path: `/${encodeURIComponent(index)}` }, [404])
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
  return generation > 1 ? `${base}-r${generation - 1}` : undefined
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

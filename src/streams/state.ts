import { ByteWriter } from '../core/byte-writer.ts'
import type { Schema } from '../core/schema.ts'
import type { Store } from '../core/store.ts'
import { type Key, KeyShape, textOf } from './key.ts'
import { PairSpace, prefix, Space } from './space.ts'
import { type Cache, CacheRoom } from './state-cache.ts'
import { OrderedSpace } from './stores/ordered-space.ts'

/** Under this number, the state about the state: layout, progress, schemas, key columns. */
const metaId = 0

/** Counts up when state of an older program can no longer be read: it is then rebuilt. */
const format = 3

interface Layout {
  readonly format: number
  /** Hash of the definitions that the state was made by. */
  definition: string
  /** The number that stands for a state's name in keys. */
  ids: Record<string, number>
  nextId: number
  /** Numbers of states that are being deleted. */
  garbage: number[]
}

/**
 * All that a task keeps between commits, as named states in one store. Names say how a state came
 * about; keys carry a number instead. `start` begins anew: old numbers become garbage, which
 * `collect` deletes little by little.
 */
export class State {
  readonly #store: Store
  readonly #out = new ByteWriter()
  readonly #meta: Space
  readonly #layout: Layout
  readonly #schemas: (Schema | undefined)[] = [undefined]
  readonly #schemaIds = new Map<string, number>()
  readonly #knownSchemas = new WeakMap<Schema, number>()
  readonly #shapes: KeyShape[] = []
  readonly #caches: CacheRoom
  readonly #ordered = new Map<string, OrderedSpace>()

  /** `caches` is the room of its caches, or how large that shall be. */
  constructor(store: Store, caches: CacheRoom | number = new CacheRoom()) {
    this.#store = store
    this.#caches = typeof caches === 'number' ? new CacheRoom(caches) : caches
    this.#meta = new Space(store, metaId, this.#out)
    const layout = this.read<Layout>('layout')
    const isReadable = layout?.format === format
    this.#layout = isReadable ? layout : emptyLayout()
    if (layout !== undefined && !isReadable) this.#deleteAll()
    this.#loadSchemas()
    this.#loadShapes()
  }

  /** Hash of the definitions behind this state; empty if there is none yet. */
  get definition(): string {
    return this.#layout.definition
  }

  /** Forgets every state but those named, and begins with another definition. */
  start(definition: string, kept: ReadonlySet<string>): void {
    const layout = this.#layout
    for (const [name, id] of Object.entries(layout.ids)) {
      if (kept.has(name)) continue
      layout.garbage.push(id)
      delete layout.ids[name]
    }
    layout.definition = definition
    this.#ordered.clear()
    this.#writeLayout()
  }

  get names(): readonly string[] {
    return Object.keys(this.#layout.ids)
  }

  space(name: string): Space {
    return new Space(this.#store, this.#id(name), this.#out)
  }

  pairs(name: string): PairSpace {
    return new PairSpace(this.#store, this.#id(name), this.#out)
  }

  /** The same for the same name, as it caches what it holds. */
  ordered(name: string): OrderedSpace {
    const known = this.#ordered.get(name)
    if (known !== undefined) return known
    const space = new OrderedSpace(this.#store, this.#id(name), this.#out, this.#caches)
    this.#ordered.set(name, space)
    return space
  }

  /** A cache for the owner of a state; together they keep to the budget. */
  cache<V>(bytesOf: (key: Key, value: V) => number): Cache<V> {
    return this.#caches.open(bytesOf)
  }

  read<T>(name: Key): T | undefined {
    const value = this.#meta.get(name)
    return value === undefined ? undefined : (JSON.parse(textOf(value)) as T)
  }

  write(name: Key, value: unknown): void {
    this.#meta.put(name, Buffer.from(JSON.stringify(value)))
  }

  schema(id: number): Schema | undefined {
    return this.#schemas[id]
  }

  /** The number of a schema; 0 stands for none. */
  schemaId(schema: Schema | undefined): number {
    if (schema === undefined) return 0
    const known = this.#knownSchemas.get(schema)
    if (known !== undefined) return known
    const text = JSON.stringify(schema)
    const id = this.#schemaIds.get(text) ?? this.#addSchema(schema, text)
    this.#knownSchemas.set(schema, id)
    return id
  }

  shape(id: number): KeyShape {
    return this.#shapes[id]!
  }

  /** The number of the columns of a key. There are as many as keys in tables, so few. */
  shapeId(shape: KeyShape): number {
    const known = this.#shapes.findIndex((other) => other === shape || other.equals(shape))
    if (known >= 0) return known
    const id = this.#shapes.push(shape) - 1
    this.write(`shape/${id}`, shape.columns)
    return id
  }

  /** Deletes some entries of forgotten states. */
  collect(limit: number): void {
    const { garbage } = this.#layout
    let left = limit
    while (garbage.length > 0) {
      for (const [key] of this.#store.scan(prefix(this.#out, garbage[0]!))) {
        if (left-- === 0) return
        this.#store.delete(key)
      }
      garbage.shift()
      this.#writeLayout()
    }
  }

  #id(name: string): number {
    const layout = this.#layout
    const known = layout.ids[name]
    if (known !== undefined) return known
    const id = layout.nextId++
    layout.ids[name] = id
    this.#writeLayout()
    return id
  }

  #addSchema(schema: Schema, text: string): number {
    const id = this.#schemas.push(schema) - 1
    this.#schemaIds.set(text, id)
    this.write(`schema/${id}`, schema)
    return id
  }

  #loadSchemas(): void {
    for (let id = 1; ; id++) {
      const schema = this.read<Schema>(`schema/${id}`)
      if (schema === undefined) return
      this.#schemas.push(schema)
      this.#schemaIds.set(JSON.stringify(schema), id)
    }
  }

  #loadShapes(): void {
    for (let id = 0; ; id++) {
      const columns = this.read<readonly string[]>(`shape/${id}`)
      if (columns === undefined) return
      this.#shapes.push(new KeyShape(columns))
    }
  }

  #writeLayout(): void {
    this.write('layout', this.#layout)
  }

  #deleteAll(): void {
    for (const [key] of this.#store.scan(new Uint8Array(0))) this.#store.delete(key)
  }
}

function emptyLayout(): Layout {
  return { format, definition: '', ids: {}, nextId: metaId + 1, garbage: [] }
}

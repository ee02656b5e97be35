/*
 * The schemas of an embedded registry, in a file of lines of JSON that is only ever appended to:
 *
 *   {"subject":"shop.orders-value","version":1,"id":1,"schemaType":"AVRO","schema":"{…}"}
 *   {"config":"shop.orders-value","level":"FULL"}        "config": null is the level of all others
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { SchemaType } from './client.ts'
import { checkSchema, incompatibilities, type Level } from './compatibility.ts'

export interface StoredSchema {
  readonly subject: string
  readonly version: number
  readonly id: number
  readonly schemaType: SchemaType
  readonly schema: string
}

type Line = StoredSchema | { readonly config: string | null; readonly level: Level }

export class SchemaStore {
  readonly #file: number
  readonly #bySubject = new Map<string, StoredSchema[]>()
  readonly #byId = new Map<number, StoredSchema>()
  readonly #ids = new Map<string, number>()
  readonly #levels = new Map<string | null, Level>([[null, 'BACKWARD']])

  /** Made on first use. */
  constructor(path: string) {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    // A line that a crash has cut off was never answered for.
    for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
      if (line !== '') this.#take(JSON.parse(line) as Line)
    }
    this.#file = openSync(path, 'a', 0o600)
    if (text !== '' && !text.endsWith('\n')) writeSync(this.#file, '\n')
  }

  get subjects(): readonly string[] {
    return [...this.#bySubject.keys()].sort()
  }

  versions(subject: string): readonly StoredSchema[] {
    return this.#bySubject.get(subject) ?? []
  }

  byId(id: number): StoredSchema | undefined {
    return this.#byId.get(id)
  }

  /** The level of a subject, or with `null` of all that have none of their own. */
  level(subject: string | null): Level {
    return this.#levels.get(subject) ?? this.#levels.get(null)!
  }

  setLevel(config: string | null, level: Level): void {
    this.#append({ config, level })
  }

  find(subject: string, schema: string): StoredSchema | undefined {
    const text = canonical(schema)
    return this.versions(subject).find((each) => each.schema === text)
  }

  /** Why the schema cannot be the subject's next; empty if it can. Throws if it is no schema. */
  check(subject: string, schema: string, type: SchemaType): readonly string[] {
    checkSchema(schema, type)
    const before = this.versions(subject)
    if (before.some(({ schemaType }) => schemaType !== type)) return ['it is of another type']
    const texts = before.map((each) => each.schema)
    return incompatibilities(schema, texts, { level: this.level(subject), type })
  }

  /** The schema under the subject, as its next version if it is new. Durable once it returns. */
  add(subject: string, schema: string, schemaType: SchemaType): StoredSchema {
    const known = this.find(subject, schema)
    if (known !== undefined) return known
    const text = canonical(schema)
    const id = this.#ids.get(`${schemaType} ${text}`) ?? this.#byId.size + 1
    const version = this.versions(subject).length + 1
    const stored = { subject, version, id, schemaType, schema: text }
    this.#append(stored)
    return stored
  }

  close(): void {
    closeSync(this.#file)
  }

  #append(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`)
    fsyncSync(this.#file)
    this.#take(line)
  }

  #take(line: Line): void {
    if ('config' in line) {
      this.#levels.set(line.config, line.level)
      return
    }
    const { subject, id, schemaType, schema } = line
    this.#bySubject.set(subject, [...this.versions(subject), line])
    this.#byId.set(id, line)
    this.#ids.set(`${schemaType} ${schema}`, id)
  }
}

function canonical(schema: string): string {
  return JSON.stringify(JSON.parse(schema))
}

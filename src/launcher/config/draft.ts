import type { Scalar } from 'yaml'
import type { z } from 'zod'
import { explain, valueAt } from './explain.ts'
import { type Fault, inOrder, type Path, type Place, showPath } from './fault.ts'
import { type Environment, interpolate } from './interpolate.ts'
import type { Mask } from './mask.ts'
import { didYouMean } from './nearest.ts'
import { isSecret, type Shape, shapeOf, shapesAt } from './shape.ts'
import { YamlSource } from './yaml-source.ts'

export interface DraftOptions {
  /** As people shall see it in messages. */
  readonly file: string
  readonly environment: Environment
  /** Learns every secret that the configuration holds. */
  readonly mask: Mask
}

/** A configuration that is being read: its text, and everything found wrong with it so far. */
export class Draft {
  readonly #source: YamlSource
  readonly #options: DraftOptions
  readonly #faults: Fault[] = []
  /** Scalars with something from the environment in them, as they are written. */
  readonly #written = new Map<Scalar, string>()
  /** Scalars with a fault in them: what else is wrong with their value follows from it. */
  readonly #unfinished = new Set<Scalar>()
  /** Whether the text can be read at all. */
  readonly readable: boolean
  value: unknown

  constructor(text: string, options: DraftOptions) {
    this.#options = options
    this.#source = new YamlSource(text)
    for (const { offset, path, what } of this.#source.faults) this.#add(offset, path, what)
    this.readable = !this.#source.faults.some(({ final }) => final)
    if (!this.readable) return
    this.#interpolate()
    this.value = this.#source.value()
    for (const { path, scalar } of this.#source.scalars()) {
      this.#hideUrls(scalar.value)
      for (const step of path) this.#hideName(step)
    }
  }

  /** Everything found wrong, in the order of the text. */
  get faults(): readonly Fault[] {
    const { mask } = this.#options
    return inOrder(this.#faults).map(({ path, what, ...place }) => ({
      ...place,
      ...{ path: mask.clean(path), what: mask.clean(what) },
    }))
  }

  report(path: Path, what: string, of: 'name' | 'value' = 'value'): void {
    this.#add(this.#source.offset(path, of), path, what)
  }

  place(path: Path): Place {
    return this.#placeAt(this.#source.offset(path, 'name'), path)
  }

  at(path: Path): unknown {
    return valueAt(this.value, path)
  }

  /** The names in the mapping at `path`. */
  names(path: Path): readonly string[] {
    const value = this.at(path)
    return isMapping(value) ? Object.keys(value) : []
  }

  /**
   * What the schema makes of the value at `path` without the names in `apart`, which are read
   * elsewhere. Undefined if it is faulty.
   */
  parse<T>(schema: z.ZodType<T>, path: Path, apart: readonly string[] = []): T | undefined {
    const shape = withNames(shapeOf(schema), apart)
    this.#convert(shape, path)
    this.#hideSecrets(shape, path)
    const whole = this.at(path)
    const value = isMapping(whole) ? without(whole, apart) : whole
    const result = schema.safeParse(value)
    if (result.success) return result.data
    const show = (inner: Path, each: unknown) => this.#show([...path, ...inner], each, shape, path)
    for (const issue of result.error.issues) {
      for (const { path: inner, of, what } of explain(issue, { shape, value, show })) {
        const scalar = this.#source.scalarAt([...path, ...inner])
        if (scalar === undefined || !this.#unfinished.has(scalar))
          this.report([...path, ...inner], what, of)
      }
    }
    return undefined
  }

  #add(offset: number, path: Path, what: string): void {
    this.#faults.push({ ...this.#placeAt(offset, path), what })
  }

  #placeAt(offset: number, path: Path): Place {
    const { file } = this.#options
    return { file, ...this.#source.lineAndColumn(offset), path: showPath(path) }
  }

  #interpolate(): void {
    const { environment } = this.#options
    for (const { path, scalar } of this.#source.scalars()) {
      if (typeof scalar.value !== 'string' || !scalar.value.includes('${')) continue
      const written = scalar.value
      const { text, replaced, faults } = interpolate(written, environment)
      scalar.value = text
      if (replaced) this.#written.set(scalar, written)
      for (const { written: reference, name } of faults) {
        const offset = this.#source.offsetWithin(scalar, reference)
        this.#add(offset, path, explainReference(name, environment))
        this.#unfinished.add(scalar)
      }
    }
  }

  /**
   * What comes from the environment is text. Where the schema wants a number or a truth value and
   * no text, the text is read as one.
   */
  #convert(shape: Shape, path: Path): void {
    for (const { path: whole, scalar } of this.#source.scalars()) {
      if (!this.#written.has(scalar) || !startsWith(whole, path)) continue
      const types = new Set(shapesAt(shape, whole.slice(path.length)).map(({ type }) => type))
      if (types.has('string')) continue
      const text = String(scalar.value).trim()
      if ((types.has('number') || types.has('integer')) && /^-?\d+(\.\d+)?$/.test(text))
        scalar.value = Number(text)
      else if (types.has('boolean') && (text === 'true' || text === 'false'))
        scalar.value = text === 'true'
    }
    this.value = this.#source.value()
  }

  #hideSecrets(shape: Shape, path: Path): void {
    for (const { path: whole, scalar } of this.#source.scalars()) {
      if (!startsWith(whole, path) || !isSecret(shape, whole.slice(path.length))) continue
      this.#options.mask.hide(String(scalar.value))
    }
  }

  #hideUrls(value: unknown): void {
    if (typeof value === 'string') this.#options.mask.hidePasswords(value)
  }

  /** What stands as a name may be a URL in the wrong place; and a salt is part of its option. */
  #hideName(step: string | number): void {
    this.#hideUrls(step)
    const salt = /\.with\.salt\.(.+)$/.exec(String(step))?.[1]
    if (salt !== undefined) this.#options.mask.hide(salt)
  }

  #show(path: Path, value: unknown, shape: Shape, base: Path): string {
    if (value === null) return 'empty'
    if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
    if (typeof value === 'object') return 'a mapping'
    if (isSecret(shape, path.slice(base.length))) return '***'
    const scalar = this.#source.scalarAt(path)
    const written = scalar === undefined ? undefined : this.#written.get(scalar)
    const text = written ?? (typeof value === 'string' ? JSON.stringify(value) : String(value))
    return text.length > 60 ? `${text.slice(0, 60)}…` : text
  }
}

const unfinished = `has "$\{" without a name and "}" after it; write "$$\{" for a plain one`

function explainReference(name: string | undefined, environment: Environment): string {
  if (name === undefined) return unfinished
  const near = didYouMean(name, Object.keys(environment))
  const meant = near.startsWith('; did') ? near : ''
  return `needs the environment variable ${name}, which is not set${meant}`
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function without(value: Readonly<Record<string, unknown>>, names: readonly string[]) {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)))
}

function withNames(shape: Shape, names: readonly string[]): Shape {
  if (names.length === 0) return shape
  const others = Object.fromEntries(names.map((name) => [name, { type: 'string' }]))
  return { ...shape, properties: { ...shape.properties, ...others } }
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((step, i) => path[i] === step)
}

import type { Json } from '../../../src/core/json.ts'
import { CaseFault } from '../difference.ts'
import { isObject, printJson } from '../json.ts'

export interface CaseInput {
  readonly topic: string
  readonly key: Json
  readonly value: Json
  readonly ts: number
  /** Of a versioned store: what the write is answered. */
  readonly returnsValidTo?: number | null | 'rejected'
}

export interface Expected {
  readonly key: Json
  readonly value: Json
  readonly ts?: number
  readonly window?: { readonly start: number; readonly end: number }
  readonly after: number
}

export interface Check {
  readonly after: number
  readonly from: number
  readonly to: number
  readonly mode: 'exact' | 'map' | 'set' | 'sequence'
}

export interface StreamsCase {
  readonly name: string
  readonly kind: string
  readonly params: Params
  readonly inputs: readonly CaseInput[]
  readonly expected: readonly Readonly<Record<string, unknown>>[]
  readonly checks: readonly Check[]
}

/** The parameters of a case. One that nobody asks for is not understood. */
export class Params {
  readonly #params: Readonly<Record<string, unknown>>
  #source: string | undefined
  readonly #asked = new Set<string>(['topology', 'note'])

  constructor(params: Readonly<Record<string, unknown>>) {
    this.#params = params
  }

  /** With the topic that the inputs have, where the case names none. */
  withSource(inputs: readonly CaseInput[]): Params {
    this.#source = inputs[0]?.topic
    return this
  }

  get sourceTopic(): string {
    return this.text('sourceTopic', this.#source)
  }

  has(name: string): boolean {
    this.#asked.add(name)
    return this.#params[name] !== undefined
  }

  get(name: string): unknown {
    this.#asked.add(name)
    return this.#params[name]
  }

  text(name: string, otherwise?: string): string {
    const value = this.get(name) ?? otherwise
    if (typeof value !== 'string') throw new CaseFault(`the parameter ${name} is missing`)
    return value
  }

  number(name: string): number {
    const value = this.get(name)
    if (typeof value !== 'number') throw new CaseFault(`the parameter ${name} is missing`)
    return value
  }

  /** A parameter that may only say what is the case anyway. */
  mustBe(name: string, ...values: readonly unknown[]): void {
    const value = this.get(name)
    if (value === undefined || values.includes(value)) return
    throw new CaseFault(`the parameter ${name}: ${printJson(value)} is not understood`)
  }

  checkAllAsked(): void {
    const left = Object.keys(this.#params).filter((name) => !this.#asked.has(name))
    if (left.length > 0) {
      throw new CaseFault(`the parameters ${left.join(', ')} are not understood`)
    }
  }
}

const known = ['name', 'kind', 'params', 'inputs', 'expected', 'checks', 'source', 'modelChecked']

export function parseCase(entry: unknown): StreamsCase {
  if (!isObject(entry)) throw new CaseFault('a case is an object')
  const unknown = Object.keys(entry).filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new CaseFault(`the fields ${unknown.join(', ')} are not understood`)
  const params = new Params(entry.params as Readonly<Record<string, unknown>>)
  return { ...(entry as unknown as StreamsCase), params }
}

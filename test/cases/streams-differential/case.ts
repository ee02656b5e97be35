import type { Json } from '../../../src/core/json.ts'
import { CaseFault } from '../difference.ts'
import { isObject } from '../json.ts'

export type CompareLevel = 'exact' | 'perKey' | 'normal' | 'set' | 'quirk'

/** One step of a topology; a field is asked for by name, and each must be asked for once. */
export interface CaseStep {
  readonly op: string
  readonly id: string | undefined
  readonly fields: Readonly<Record<string, unknown>>
}

export type CaseInput = readonly [topic: string, key: string | null, value: Json, ts: number]
export type CaseOutput = readonly [after: number, key: Json, value: Json, ts: number]

export interface DifferentialCase {
  readonly name: string
  readonly family: string
  readonly compare: CompareLevel
  readonly topology: readonly CaseStep[]
  readonly sinks: Readonly<Record<string, 'changelog' | 'events'>>
  readonly inputs: readonly CaseInput[]
  readonly outputs: Readonly<Record<string, readonly CaseOutput[]>>
  readonly stores: Readonly<Record<string, readonly (readonly Json[])[]>>
}

const levels = ['exact', 'perKey', 'normal', 'set', 'quirk']
const known = [...['name', 'family', 'compare', 'topology', 'sinks', 'inputs', 'outputs', 'stores']]

/** Reads a case; a field that is not known is a fault. */
export function parseCase(entry: unknown): DifferentialCase {
  if (!isObject(entry)) throw new CaseFault('a case is an object')
  const unknown = Object.keys(entry).filter((name) => !known.includes(name))
  if (unknown.length > 0) throw new CaseFault(`the fields ${unknown.join(', ')} are not understood`)
  const one = entry as unknown as DifferentialCase
  if (!levels.includes(one.compare)) {
    throw new CaseFault(`the compare level ${one.compare} is not understood`)
  }
  for (const [topic, sink] of Object.entries(one.sinks)) {
    if (sink !== 'changelog' && sink !== 'events') {
      throw new CaseFault(`the sink ${topic}: ${sink} is not understood`)
    }
  }
  const steps = one.topology as unknown as readonly Readonly<Record<string, unknown>>[]
  const topology = steps.map(({ op, id, ...fields }) => ({
    ...{ op: String(op), id: id === undefined ? undefined : String(id), fields },
  }))
  return { ...one, topology }
}

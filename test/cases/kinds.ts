import { debeziumInput } from './debezium-input/kind.ts'
import type { Kind } from './kind.ts'
import { postgresSource } from './postgres-source/kind.ts'
import { streams } from './streams/kind.ts'
import { streamsDifferential, streamsDifferentialNet } from './streams-differential/kind.ts'

/** Every kind of case file that can be run. */
export const kinds: readonly Kind[] = [
  postgresSource,
  debeziumInput,
  streams,
  streamsDifferential,
  streamsDifferentialNet,
]

/** Throws with the list of what there is. */
export function findKind(name: string): Kind {
  const kind = kinds.find((one) => one.name === name)
  if (kind !== undefined) return kind
  const known = kinds.map((one) => one.name).join(', ')
  throw new Error(`There is no kind of cases '${name}'. Known: ${known}.`)
}

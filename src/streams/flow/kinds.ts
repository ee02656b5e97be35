import type { Flow, StreamFlow, TableFlow } from './flow.ts'

/** The types of the DSL see to it that this holds. */
export function streamOf(flow: Flow | undefined): StreamFlow {
  if (flow?.kind !== 'stream') throw new Error('a stream stands on something that is none')
  return flow
}

export function tableOf(flow: Flow | undefined): TableFlow {
  if (flow?.kind !== 'table') throw new Error('a table stands on something that is none')
  return flow
}

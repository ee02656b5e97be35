import { statfsSync } from 'node:fs'
import type { PolicyOf } from '../../core/topic-policy.ts'
import type { Cleaning } from '../../log/cleaner.ts'
import type { Topology } from '../../streams/topology.ts'
import type { Config } from '../config/config.ts'
import { policiesOf } from '../config/topic-rules.ts'

/** How the log of a pipeline is kept from growing without end. */
export function cleaningOf(config: Config, topology: Topology, say: Cleaning['say']): Cleaning {
  return { policyOf: policyOfConfig(config, topology), capBytes: capBytes(config.log), say }
}

/** What each topic of a pipeline keeps. */
export function policyOfConfig(
  config: Pick<Config, 'connectors' | 'topicRules'>,
  { views }: Topology,
): PolicyOf {
  const tables = { prefixes: prefixesOf(config), views: views.map(({ topic }) => topic) }
  return policiesOf(config.topicRules ?? {}, tables)
}

/** What the names of connectors' topics begin with. */
export function prefixesOf({ connectors }: Pick<Config, 'connectors'>): readonly string[] {
  return connectors.map(({ name, options }) => {
    return (options as { readonly 'topic.prefix'?: string })['topic.prefix'] ?? name
  })
}

function capBytes({ path, cap = '80%' }: Config['log']): number {
  if (typeof cap === 'number') return cap
  const { blocks, bsize } = statfsSync(path)
  return (blocks * bsize * Number.parseInt(cap, 10)) / 100
}

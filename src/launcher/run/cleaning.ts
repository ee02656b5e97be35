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
  { connectors, topicRules = {} }: Pick<Config, 'connectors' | 'topicRules'>,
  { views }: Topology,
): PolicyOf {
  const prefixes = connectors.map(({ name, options }) => {
    return (options as { readonly 'topic.prefix'?: string })['topic.prefix'] ?? name
  })
  return policiesOf(topicRules, { prefixes, views: views.map(({ topic }) => topic) })
}

function capBytes({ path, cap = '80%' }: Config['log']): number {
  if (typeof cap === 'number') return cap
  const { blocks, bsize } = statfsSync(path)
  return (blocks * bsize * Number.parseInt(cap, 10)) / 100
}

/*
 * What runs on a data directory, or ran last: `deployed.json` in it, written at every start, so
 * that `millrace plan` can tell what another configuration would change. Options are there as
 * digests only, as some of them are secret.
 *
 *   {"v":1,"connectors":{"db":{"type":"postgres","digest":"…"}},"views":{"orders":"…"},
 *    "topologies":{"inventory":"…"},"topics":{"shop.*":{…}},
 *    "sinks":{"search/shop.orders":{"type":"redis","digest":"…"}}}
 */
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Step } from '../../streams/step.ts'
import type { StreamTopology } from '../../streams/stream-topology.ts'
import type { Topology } from '../../streams/topology.ts'
import type { Config } from '../config/config.ts'
import { partName } from './parts.ts'

const part = z.strictObject({ type: z.string(), digest: z.string() })

const format = z.strictObject({
  v: z.literal(1),
  /** Salt of the digests: without it a short password could be found by trying. */
  salt: z.string(),
  connectors: z.record(z.string(), part),
  views: z.record(z.string(), z.string()),
  /** Of streams. */
  topologies: z.record(z.string(), z.string()).default({}),
  sinks: z.record(z.string(), part),
  topics: z.record(z.string(), z.unknown()),
})

export type Deployment = z.infer<typeof format>

interface Definitions {
  readonly topology: Topology
  readonly streams: readonly StreamTopology[]
}

export function describeDeployment(
  { connectors, sinks, topicRules = {} }: Config,
  { topology, streams }: Definitions,
  salt = randomBytes(16).toString('hex'),
): Deployment {
  const described = ({
    plugin,
    options,
  }: Config['connectors'][number] | Config['sinks'][number]) => ({
    type: plugin.type,
    digest: digest(salt, options),
  })
  return {
    v: 1,
    salt,
    connectors: Object.fromEntries(connectors.map((each) => [each.name, described(each)])),
    views: Object.fromEntries(
      topology.views.map(({ name, step }) => [name, digest(salt, definitionOf(step))]),
    ),
    topologies: Object.fromEntries(
      streams.map(({ name, hash, options: { onError, idleMs } }) => {
        return [name, digest(salt, [hash, onError, idleMs])]
      }),
    ),
    sinks: Object.fromEntries(
      sinks.flatMap((sink) =>
        sink.from.map((from) => [partName(sink, from), described(sink)] as const),
      ),
    ),
    topics: topicRules,
  }
}

/** Undefined if nothing has run there, or another version of the program. */
export function readDeployment(directory: string): Deployment | undefined {
  try {
    return format.parse(JSON.parse(readFileSync(join(directory, 'deployed.json'), 'utf8')))
  } catch {
    return undefined
  }
}

export function saveDeployment(directory: string, deployment: Deployment): void {
  const path = join(directory, 'deployed.json')
  writeFileSync(`${path}.new`, `${JSON.stringify(deployment)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function definitionOf({ name, definition, parents }: Step): unknown {
  return [name, definition, parents.map(definitionOf)]
}

function digest(salt: string, value: unknown): string {
  const text = `${salt}${JSON.stringify(value)}`
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

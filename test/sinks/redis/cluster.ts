import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { freePort } from '../../support/servers/ports.ts'
import type { RedisServer } from '../../support/servers/redis.ts'
import type { RedisFlavor } from '../../support/servers/redis-binaries.ts'
import { useRedis } from '../../support/servers/use.ts'

/** A node, with a client that talks to it alone. */
export interface Node {
  readonly server: RedisServer
  readonly client: Redis
  /** The port on which nodes talk to each other; by default it may be one that somebody has. */
  readonly bus: number
}

const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000']

/** A cluster of primaries that share all slots, in equal parts; more nodes have none. */
export async function startCluster(
  t: Test,
  { flavor, primaries = 3, more = 0 }: { flavor: RedisFlavor; primaries?: number; more?: number },
): Promise<readonly Node[]> {
  const nodes: Node[] = []
  for (let i = 0; i < primaries + more; i++) {
    const bus = await freePort()
    const options = { flavor, args: [...args, '--cluster-port', String(bus)] }
    const { server } = await useRedis(t, options)
    const client = new Redis(server!.url, { protocol: 2 })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    nodes.push({ server: server!, client, bus })
  }
  for (const [i, { client }] of nodes.slice(0, primaries).entries()) {
    const [first, end] = [i, i + 1].map((part) => Math.floor((16_384 * part) / primaries))
    await client.call('CLUSTER', 'ADDSLOTSRANGE', String(first), String(end! - 1))
  }
  for (const { server, bus } of nodes.slice(1)) {
    const address = ['127.0.0.1', String(server.port), String(bus)]
    await nodes[0]!.client.call('CLUSTER', 'MEET', ...address)
  }
  for (const { client } of nodes) {
    await until(async () => String(await client.call('CLUSTER', 'INFO')).includes('state:ok'))
  }
  await until(async () => {
    const known = await Promise.all(nodes.map(({ client }) => client.call('CLUSTER', 'NODES')))
    return known.every((text) => String(text).trim().split('\n').length === nodes.length)
  })
  return nodes
}

/** Moves a slot with all its keys. */
export async function moveSlot(slot: number, from: Node, to: Node): Promise<void> {
  const ids = await Promise.all([from, to].map(({ client }) => client.call('CLUSTER', 'MYID')))
  const [fromId, toId] = ids as [string, string]
  const set = (node: Node, ...words: string[]) =>
    node.client.call('CLUSTER', 'SETSLOT', String(slot), ...words)
  await set(to, 'IMPORTING', fromId)
  await set(from, 'MIGRATING', toId)
  for (;;) {
    const keys = (await from.client.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '1')) as string[]
    if (keys.length === 0) break
    const port = String(to.server.port)
    await from.client.call('MIGRATE', '127.0.0.1', port, keys[0]!, '0', '5000')
  }
  await set(to, 'NODE', toId)
  await set(from, 'NODE', toId)
}

export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await sleep(50)
}

/** All keys of some nodes that begin with a text. */
export async function keysOf(nodes: readonly Node[], prefix: string): Promise<string[]> {
  const keys = await Promise.all(nodes.map(({ client }) => client.keys(`${prefix}*`)))
  return keys.flat().sort()
}

import t from 'tap'
import { keySlot } from '../../../sinks/redis/key-slot.ts'
import { put, remove } from '../../support/records.ts'
import type { RedisFlavor } from '../../support/servers/redis-binaries.ts'
import { keysOf, moveSlot, startCluster } from './cluster.ts'
import { apply, source, startSink } from './target.ts'

const many = (version: number, count = 300) =>
  Array.from({ length: count }, (_, i) => put(i, { i, version }, { version, ordinal: i }))

/** What the sink promises on a cluster of servers of a flavor. */
export function clusterSuite(flavor: RedisFlavor): void {
  documents(flavor)
  losses(flavor)
  moves(flavor)
}

function documents(flavor: RedisFlavor): void {
  t.test(`${flavor} as a cluster: every shard gets its documents`, async (t) => {
    const nodes = await startCluster(t, { flavor })
    const { sink } = await startSink(t, nodes[1]!.server.url)
    t.same(new Set(await apply(sink, many(1), 'one')), new Set(['applied']))
    t.equal((await keysOf(nodes, 'order:')).length, 300)
    for (const node of nodes) t.ok((await keysOf([node], 'order:')).length > 50)
    await apply(sink, [remove(7, { version: 2 })], 'two')
    t.same(await apply(sink, [put(7, {}, { version: 1 })], 'two'), ['stale'])
    t.equal(await sink.resume(source), 'two')
    await sink.clear(source)
    t.same(await keysOf(nodes, 'order:'), [])
  })
}

function losses(flavor: RedisFlavor): void {
  t.test(`${flavor} as a cluster: a shard that is flushed is noticed`, async (t) => {
    const nodes = await startCluster(t, { flavor })
    for (const [i, node] of nodes.entries()) {
      const { sink } = await startSink(t, nodes[0]!.server.url)
      await apply(sink, many(i + 1), 'here')
      await node.client.flushall()
      await t.rejects(apply(sink, [], 'there'), { code: 'TARGET_CHANGED' })
      t.equal(await sink.resume(source), undefined)
      await apply(sink, many(i + 1), 'here')
      t.equal(await sink.resume(source), 'here')
      t.equal((await keysOf(nodes, 'order:')).length, 300)
    }
  })
}

function moves(flavor: RedisFlavor): void {
  t.test(`${flavor} as a cluster: slots that move under load lose nothing`, async (t) => {
    const nodes = await startCluster(t, { flavor })
    const { sink } = await startSink(t, nodes[2]!.server.url)
    await apply(sink, many(1), 'one')
    const slots = [...new Set(many(1).map((_, i) => keySlot(`order:${i}`)))]
    const moved = slots.filter((slot) => slot < 5461).slice(0, 40)
    let isMoving = true
    const moving = (async () => {
      for (const slot of moved) await moveSlot(slot, nodes[0]!, nodes[1]!)
      isMoving = false
    })()
    let version = 1
    do t.ok((await apply(sink, many(++version), 'later')).every((one) => one === 'applied'))
    while (isMoving)
    await moving
    await apply(sink, many(++version), 'last')
    t.equal((await keysOf(nodes, 'order:')).length, 300)
    const values = await Promise.all(
      nodes.map(async ({ client }) => {
        const keys = await keysOf([{ client } as never], 'order:')
        return Promise.all(keys.map((key) => client.get(key)))
      }),
    )
    t.ok(values.flat().every((value) => value?.includes(`"version":${version}}`)))
  })

  t.test(`${flavor} as a cluster: a shard that joins is filled, and all is swept`, async (t) => {
    const nodes = await startCluster(t, { flavor, primaries: 2, more: 1 })
    const { sink } = await startSink(t, nodes[0]!.server.url)
    await apply(sink, many(1), 'one')
    await moveSlot(keySlot('order:1'), nodes[keySlot('order:1') < 8192 ? 0 : 1]!, nodes[2]!)
    await t.rejects(
      (async () => {
        await apply(sink, many(2), 'two')
      })(),
      { code: 'TARGET_CHANGED' },
    )
    t.equal(await sink.resume(source), undefined)
    await apply(sink, many(3).slice(1), 'three')
    await sink.commit({ source, position: 'three' as never, timestamp: 1 })
    t.equal((await keysOf(nodes, 'order:')).length, 299)
    t.equal(await sink.resume(source), 'three')
  })
}

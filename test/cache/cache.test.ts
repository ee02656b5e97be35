import fc from 'fast-check'
import { Redis } from 'ioredis'
import t from 'tap'
import { redis } from '../../sinks/redis/index.ts'
import { Cache, type Lease } from '../../src/cache/cache.ts'
import { batch, put } from '../support/records.ts'
import { useRedis } from '../support/servers/use.ts'

const { url } = await useRedis(t)
const connection = new Redis(url)
t.teardown(() => connection.disconnect())

let names = 0

/** A cache of one key, and a sink that invalidates it. */
async function open(holdMs = 0) {
  const name = `c${++names}`
  const options = redis.options.parse({ url, as: 'invalidate', keys: [`${name}:{id}`], holdMs })
  const context = { pipeline: name, name, topic: 'users', partition: 0, say: () => {} }
  const sink = redis.open(options, context)
  t.teardown(() => sink.close())
  await sink.resume('users')
  return { cache: new Cache(connection), sink, key: `${name}:1` }
}

t.test('a value that was read before an invalidation is not filled after it', async (t) => {
  const { cache, sink, key } = await open()
  const slow = await cache.get(key)
  t.equal(slow.state, 'miss')
  t.same(await cache.get(key), { state: 'wait' }, 'one reader at a time')
  await sink.write(batch([put(1, { id: 1, name: 'new' })]))
  t.equal(await cache.fill((slow as { lease: Lease }).lease, 'old'), false)
  t.equal(await cache.through(key, async () => 'new'), 'new')
  t.same(await cache.get(key), { state: 'hit', value: 'new' })
  await sink.write(batch([put(1, { id: 1 }, { version: 2 })]))
  t.equal(await connection.get(key), null)
})

t.test('for a moment after an invalidation nobody may fill the key', async (t) => {
  const { cache, sink, key } = await open(60_000)
  await sink.write(batch([put(1, { id: 1 })]))
  t.same(await cache.get(key), { state: 'closed' })
  t.equal(await cache.through(key, async () => 'read'), 'read')
  t.equal(await connection.get(key), null)
})

t.test('a value that is older than the last invalidation is not taken', async (t) => {
  const { cache, sink, key } = await open()
  await sink.write(batch([put(1, { id: 1 }, { version: 2n ** 60n })]))
  const fill = async (version: bigint) => {
    const found = await cache.get(key)
    return cache.fill((found as { lease: Lease }).lease, String(version), {
      version,
      ttlMs: 60_000,
    })
  }
  t.equal(await fill(2n ** 60n - 1n), false)
  t.equal(await fill(2n ** 60n), true)
  t.ok((await connection.pttl(key)) > 0)
})

t.test('many readers at once read once, and scripts are sent again when forgotten', async (t) => {
  const { cache, key } = await open()
  await connection.script('FLUSH')
  let reads = 0
  const read = async () => String(++reads)
  const values = await Promise.all(Array.from({ length: 20 }, () => cache.through(key, read)))
  t.same(new Set(values), new Set(['1']))
})

t.test('without Redis the reader fails, or reads by itself if it wants to know', async (t) => {
  const gone = new Redis(url, { lazyConnect: true, enableOfflineQueue: false })
  t.teardown(() => gone.disconnect())
  const read = async () => 'read'
  await t.rejects(new Cache(gone).through('c0:1', read), { message: /writeable|closed/ })
  const errors: unknown[] = []
  const cache = new Cache(gone, { onError: (error) => errors.push(error) })
  t.equal(await cache.through('c0:1', read), 'read')
  t.equal(errors.length, 1)
  const fault = async () => Promise.reject(new Error('no such table'))
  await t.rejects(cache.through('c0:1', fault), { message: 'no such table' })
})

t.test('however readers and changes interleave, no stale value survives', async () => {
  // A reader looks up, reads the database, and fills; a writer commits, and its change arrives some
  // time later. fast-check chooses who takes the next step.
  const actor = fc.constantFrom('read 1', 'read 2', 'read 3', 'commit', 'arrive')
  await fc.assert(
    fc.asyncProperty(fc.array(actor, { minLength: 8, maxLength: 40 }), async (steps) => {
      const { cache, sink, key } = await open()
      let row = 0
      let told = 0
      const readers = new Map<string, { lease: Lease; value?: string }>()
      const arrive = async () => {
        if (told === row) return
        await sink.write(batch([put(1, { id: 1 }, { version: ++told })]))
      }
      for (const step of steps) {
        const reader = readers.get(step)
        if (step === 'commit') row++
        else if (step === 'arrive') await arrive()
        else if (reader === undefined) {
          const found = await cache.get(key)
          if (found.state === 'miss') readers.set(step, { lease: found.lease })
        } else if (reader.value === undefined) reader.value = String(row)
        else {
          await cache.fill(reader.lease, reader.value)
          readers.delete(step)
        }
      }
      while (told < row) await arrive()
      for (const { lease, value = String(row) } of readers.values()) await cache.fill(lease, value)
      const left = await connection.get(key)
      await sink.close()
      return left === null || left === String(row)
    }),
    { numRuns: 60 },
  )
})

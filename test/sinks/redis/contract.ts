import { Redis } from 'ioredis'
import t from 'tap'
import { redis } from '../../../sinks/redis/index.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import { sinkContract, type TargetUnderTest } from '../../contract/sink.ts'
import type { RedisFlavor } from '../../support/servers/redis-binaries.ts'
import { useRedis } from '../../support/servers/use.ts'

const prefix = 'order:'

/** Runs the contract of all sinks on a server of a flavor, which all its tests share. */
export async function redisContract(flavor: RedisFlavor): Promise<void> {
  const { url } = await useRedis(t, { flavor })
  const promises = { versioned: true, keepsDeletes: true, transactional: false }
  sinkContract(flavor, promises, async () => targetOn(url))
}

async function targetOn(url: string): Promise<TargetUnderTest> {
  const application = new Redis(url, { protocol: 2 })
  await application.flushall()
  const sinks: Sink<LogRecord>[] = []
  const options = redis.options.parse({ url, key: `${prefix}{}` })
  const context = { pipeline: 'shop', name: 'cache', topic: 'orders', partition: 0, say: () => {} }
  return {
    open() {
      const sink = redis.open(options, context)
      sinks.push(sink)
      return sink
    },
    async stored() {
      const documents = new Map<string, string>()
      for (const key of await application.keys(`${prefix}*`)) {
        documents.set(key.slice(prefix.length), (await application.get(key))!)
      }
      return documents
    },
    async wipe() {
      await application.flushall()
    },
    async close() {
      await Promise.all(sinks.map((sink) => sink.close()))
      application.disconnect()
    },
  }
}

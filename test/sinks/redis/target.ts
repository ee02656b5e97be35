import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { redis } from '../../../sinks/redis/index.ts'
import type { RedisOptions } from '../../../sinks/redis/options.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Outcome, Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { batch } from '../../support/records.ts'

export const source = 'orders'

/** What a configuration says beside the url; the defaults fill the rest. */
export type Settings = Partial<RedisOptions>

/** A sink that is closed with the test. */
export function openSink(
  t: Test,
  url: string,
  settings: Settings = {},
  name = 'cache',
): Sink<LogRecord> {
  const options = redis.options.parse({ url, key: 'order:{}', ...settings })
  const context = { pipeline: 'shop', name, topic: 'orders', partition: 0, say: () => {} }
  const sink = redis.open(options, context)
  t.teardown(() => sink.close())
  return sink
}

/** A sink that has claimed its target. */
export async function startSink(t: Test, url: string, settings?: Settings, name?: string) {
  const sink = openSink(t, url, settings, name)
  const from = await sink.resume(source)
  return { sink, from }
}

/** One turn of the pump. */
export async function apply(
  sink: Sink<LogRecord>,
  records: readonly LogRecord[],
  position = 'somewhere',
): Promise<readonly Outcome[]> {
  const outcomes = await sink.write(batch(records))
  await sink.commit({ source, position: position as Position, timestamp: 1 })
  return outcomes
}

/** A client beside the sink: the application, or an operator. */
export function application(t: Test, url: string): Redis {
  const client = new Redis(url, { protocol: 2 })
  client.on('error', () => {}) // A server that a test stops is no fault of the test.
  t.teardown(() => client.disconnect())
  return client
}

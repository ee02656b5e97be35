import type { SinkPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { options, type RedisOptions } from './options.ts'
import { RedisReading } from './reading.ts'
import { RedisSink } from './sink.ts'

/** Documents in Redis or Valkey, under keys made by a template, as JSON text or as hashes. */
export const redis: SinkPlugin<RedisOptions> = {
  type: 'redis',
  options,
  check,
  open: (options, context) => new RedisSink(options, context),
  read: (options, context) => new RedisReading(options, context),
}

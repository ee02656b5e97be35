import type { SinkPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { options, type RedisOptions } from './options.ts'
import { openReading } from './readings/open-reading.ts'
import { RedisSink } from './sink.ts'

/** Documents, members of sets, entries of streams or invalidations, in Redis or Valkey. */
export const redis: SinkPlugin<RedisOptions> = {
  type: 'redis',
  options,
  check,
  open: (options, context) => new RedisSink(options, context),
  read: openReading,
}

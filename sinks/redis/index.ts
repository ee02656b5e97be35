import { MillraceError } from '../../src/core/errors.ts'
import type { SinkPlugin } from '../../src/core/plugin.ts'
import { check } from './check.ts'
import { isDocumentForm, options, type RedisOptions } from './options.ts'
import { RedisReading } from './reading.ts'
import { RedisSink } from './sink.ts'

/** Documents, members of sets, entries of streams or invalidations, in Redis or Valkey. */
export const redis: SinkPlugin<RedisOptions> = {
  type: 'redis',
  options,
  check,
  open: (options, context) => new RedisSink(options, context),
  read: (options, context) => {
    if (isDocumentForm(options.as)) return new RedisReading(options, context)
    const fact = `What is written as: ${options.as} is no document, and cannot be read back.`
    throw new MillraceError('CONFIG_INVALID', fact)
  },
}

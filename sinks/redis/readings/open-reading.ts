import { MillraceError } from '../../../src/core/errors.ts'
import type { SinkContext } from '../../../src/core/plugin.ts'
import type { Reading } from '../../../src/core/reading.ts'
import type { RedisOptions } from '../options.ts'
import { DocumentReading } from './document-reading.ts'
import { InvalidationReading } from './invalidation-reading.ts'
import { MemberReading } from './member-reading.ts'
import { StreamReading } from './stream-reading.ts'

/** The reading side of what the options ask for. Throws CONFIG_INVALID if there is none. */
export function openReading(options: RedisOptions, context: SinkContext): Reading {
  const { as } = options
  if (as === 'set' || as === 'zset') return new MemberReading(options, context)
  if (as === 'stream') return new StreamReading(options, context)
  if (as === 'invalidate') return new InvalidationReading(options, context)
  if (as !== 'publish') return new DocumentReading(options, context)
  const fact = `${context.name}: a message (as: publish) is heard once and kept nowhere, so there is nothing to compare.`
  throw new MillraceError('CONFIG_INVALID', fact)
}

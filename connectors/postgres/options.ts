import { z } from 'zod'
import { secret } from '../../src/core/secret.ts'
import { version } from '../../src/core/version.ts'
import { debeziumModes, plainModes, type ValueModes } from './values/modes.ts'

const slotName = z.string().regex(/^[a-z0-9_]{1,63}$/, 'must consist of 1-63 of a-z, 0-9 and _')

/** Options of the connector; where Debezium has the option, under its name. */
export const postgresOptions = z.strictObject({
  url: secret('Where the database is: `postgres://user:password@host:5432/database`.'),
  tables: z
    .array(z.string().regex(/^[^.]+\..+$/, 'must be `schema.table`'))
    .min(1)
    .describe('Tables to read, as `schema.table`; `*` stands for any characters.'),
  'topic.prefix': z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, 'must consist of letters, digits, `.`, `_` and `-`')
    .optional()
    .describe(
      'First part of the topics `<prefix>.<schema>.<table>`. Default: the connector’s name.',
    ),
  'slot.name': slotName.optional().describe('Default: `millrace_<pipeline>_<connector>`.'),
  'publication.name': z.string().min(1).max(63).optional().describe('Default: the slot’s name.'),
  format: z
    .enum(['plain', 'debezium'])
    .default('plain')
    .describe(
      'Sets the defaults of how values look: exact and nested, or as Debezium prints them.',
    ),
  'decimal.handling.mode': z
    .enum(['precise', 'string', 'double'])
    .optional()
    .describe('Numeric and money: unscaled bytes, exact digits in a string, or a double.'),
  'time.precision.mode': z
    .enum([
      'adaptive',
      'adaptive_time_microseconds',
      'connect',
      'isostring',
      'microseconds',
      'nanoseconds',
      'structured',
    ])
    .optional()
    .describe('Dates and times: numbers in a unit, ISO 8601, or an object of parts.'),
  'binary.handling.mode': z
    .enum(['bytes', 'base64', 'base64-url-safe', 'hex'])
    .optional()
    .describe('Bytea: base64 (bytes and base64 look the same in JSON), its URL form, or hex.'),
  'hstore.handling.mode': z
    .enum(['json', 'map'])
    .optional()
    .describe('Hstore: JSON text, or an object.'),
  'interval.handling.mode': z
    .enum(['numeric', 'string'])
    .optional()
    .describe('Intervals: microseconds, or ISO 8601.'),
  'money.fraction.digits': z
    .int()
    .min(0)
    .max(20)
    .optional()
    .describe('Digits behind the point of money; Debezium’s default is 2.'),
  'include.unknown.datatypes': z
    .boolean()
    .optional()
    .describe('Whether `format: debezium` has columns of types that Debezium does not know.'),
  'unavailable.value.placeholder': z
    .string()
    .optional()
    .describe('Stands for an unchanged TOASTed value where placeholders are asked for.'),
})

export type PostgresOptions = z.output<typeof postgresOptions>

export interface ResolvedOptions {
  readonly url: string
  readonly tables: readonly string[]
  readonly prefix: string
  readonly slot: string
  readonly publication: string
  readonly modes: ValueModes
  readonly version: string
}

export function resolveOptions(
  options: PostgresOptions,
  pipeline: string,
  name: string,
): ResolvedOptions {
  const slot = options['slot.name'] ?? slotNameOf(pipeline, name)
  return {
    url: options.url,
    tables: options.tables,
    prefix: options['topic.prefix'] ?? name,
    slot,
    publication: options['publication.name'] ?? slot,
    modes: modesOf(options),
    version,
  }
}

function slotNameOf(pipeline: string, name: string): string {
  return `millrace_${pipeline}_${name}`
    .toLowerCase()
    .replace(/[^a-z0-9_]/g, '_')
    .slice(0, 63)
}

function modesOf(options: PostgresOptions): ValueModes {
  const base = options.format === 'plain' ? plainModes : debeziumModes
  return {
    ...base,
    decimal: options['decimal.handling.mode'] ?? base.decimal,
    timePrecision: options['time.precision.mode'] ?? base.timePrecision,
    binary: options['binary.handling.mode'] ?? base.binary,
    hstore: options['hstore.handling.mode'] ?? base.hstore,
    interval: options['interval.handling.mode'] ?? base.interval,
    moneyFractionDigits: options['money.fraction.digits'] ?? base.moneyFractionDigits,
    includeUnknown: options['include.unknown.datatypes'] ?? base.includeUnknown,
    unavailable: options['unavailable.value.placeholder'] ?? base.unavailable,
  }
}

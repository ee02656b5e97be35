import { z } from 'zod'
import { urlOf } from '../../src/core/postgres-tls.ts'
import { secret } from '../../src/core/secret.ts'
import { version } from '../../src/core/version.ts'
import { hashWith, type Mask, maskWith, truncateTo } from './mask.ts'
import {
  matchesAny,
  matchesGlob,
  parseKeyColumns,
  type Selects,
  selects,
  splitList,
} from './selection.ts'
import { type SlotLife, slotLifeOf, slotOptions } from './slot/options.ts'
import { type SnapshotSettings, snapshotOptions, snapshotSettings } from './snapshot/options.ts'
import { type Naming, namingOf } from './transforms/naming.ts'
import { transformOptions } from './transforms/options.ts'
import { Outbox } from './transforms/outbox.ts'
import { unwrapping } from './transforms/unwrap.ts'
import { debeziumModes, plainModes, type ValueModes } from './values/modes.ts'
import type { DecodingOptions } from './wal/decoder.ts'
import type { ShapeOf } from './wal/relation.ts'

const slotName = z.string().regex(/^[a-z0-9_]{1,63}$/, 'must consist of 1-63 of a-z, 0-9 and _')

const list = z.string().min(1).optional()

const shape = z.looseObject({
  url: secret('Where the database is: `postgres://user:password@host:5432/database`.'),
  tables: z
    .array(z.string().regex(/^[^.]+\..+$/, 'must be `schema.table`'))
    .min(1)
    .optional()
    .describe('Tables to read, as `schema.table`; `*` stands for any characters. Default: all.'),
  'table.include.list': list.describe('Tables to read, as regular expressions.'),
  'table.exclude.list': list.describe('Tables not to read, as regular expressions.'),
  'schema.include.list': list.describe('Schemas to read, as regular expressions.'),
  'schema.exclude.list': list.describe('Schemas not to read, as regular expressions.'),
  'column.include.list': list.describe('Columns that rows have, as `schema.table.column`.'),
  'column.exclude.list': list.describe('Columns that rows lack, as `schema.table.column`.'),
  'message.key.columns': z
    .string()
    .regex(/^[^:]+:[^:]+$|;/, 'must be `schema.table:column,column`')
    .optional()
    .describe('Keys other than the primary key: `schema.table:column,column;…`.'),
  'publish.via.partition.root': z
    .boolean()
    .optional()
    .describe('Whether rows of partitions come as rows of their root. Default in plain: true.'),
  'topic.prefix': z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, 'must consist of letters, digits, `.`, `_` and `-`')
    .optional()
    .describe(
      'First part of the topics `<prefix>.<schema>.<table>`. Default: the connector’s name.',
    ),
  'slot.name': slotName.optional().describe('Default: `millrace_<pipeline>_<connector>`.'),
  'publication.name': z.string().min(1).max(63).optional().describe('Default: the slot’s name.'),
  ...slotOptions,
  ...snapshotOptions,
  ...transformOptions,
  streaming: z
    .enum(['on', 'off'])
    .default('on')
    .describe(
      'Whether a transaction that outgrows the server’s logical_decoding_work_mem is received while it is in progress, and kept in the data directory until it ends.',
    ),
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
  'skipped.operations': z
    .string()
    .regex(/^(none|[cudt](\s*,\s*[cudt])*)$/, 'must be `none` or some of c, u, d, t')
    .default('none')
    .describe('Changes to leave out: c, u, d or t (truncate), separated by commas.'),
  'tombstones.on.delete': z
    .boolean()
    .default(true)
    .describe('Whether a delete is followed by a record without a value, for compaction.'),
  'skip.messages.without.change': z
    .boolean()
    .default(false)
    .describe('Leaves out updates that changed no selected column; needs REPLICA IDENTITY FULL.'),
  'provide.transaction.metadata': z
    .boolean()
    .default(false)
    .describe('Writes BEGIN and END of each transaction to `<prefix>.transaction`.'),
  'message.prefix.include.list': list.describe('Logical messages to take, by prefix.'),
  'message.prefix.exclude.list': list.describe('Logical messages not to take, by prefix.'),
  'xmin.fetch.interval.ms': z
    .int()
    .min(0)
    .default(0)
    .describe('How often the slot’s catalog_xmin is read for `source.xmin`; 0: never.'),
  'max.batch.size': z
    .int()
    .min(1)
    .optional()
    .describe('Most changes in one batch. Default: as many as a megabyte holds.'),
  'unavailable.value.placeholder': z
    .string()
    .optional()
    .describe('Stands for an unchanged TOASTed value where placeholders are asked for.'),
})

/**
 * Options whose names hold a number or a salt: `column.mask.with.5.chars`,
 * `column.truncate.to.20.chars`, `column.mask.hash.SHA-256.with.salt.abc` and
 * `column.mask.hash.v2.…`.
 */
const maskName = new RegExp(
  [
    String.raw`^column\.(?:mask\.with\.(?<mask>\d+)\.chars`,
    String.raw`truncate\.to\.(?<cut>\d+)\.chars`,
    String.raw`mask\.hash\.(?<v2>v2\.)?(?<algorithm>[^.]+)\.with\.salt\.(?<salt>.+))$`,
  ].join('|'),
)

/** Options of the connector; where Debezium has the option, under its name. */
export const postgresOptions = shape.superRefine((options, context) => {
  const keys = Object.keys(options).filter((name) => !(name in shape.shape) && !maskName.test(name))
  if (keys.length > 0) context.addIssue({ code: 'unrecognized_keys', keys, input: options })
  const table = options.outbox?.table
  if (table !== undefined && !selectTables(options)(table)) {
    const message = `must be among the tables that are read, and ${table} is not`
    context.addIssue({ code: 'custom', path: ['outbox', 'table'], message, input: table })
  }
})

export type PostgresOptions = z.output<typeof postgresOptions>

export interface ResolvedOptions {
  /** Says all that concerns TLS, too. */
  readonly url: string
  readonly life: SlotLife
  readonly snapshots: SnapshotSettings
  /** Names of tables without a wildcard, as far as the options name them. */
  readonly tables: readonly string[]
  /** Whether a table is to be read, by `schema.table`. */
  readonly selectsTable: Selects
  readonly selectsColumn: Selects
  readonly masks: readonly Mask[]
  readonly keyColumns: (table: string) => readonly string[] | undefined
  readonly viaRoot: boolean
  readonly streaming: boolean
  readonly decoding: DecodingOptions
  readonly prefix: string
  readonly naming: Naming
  readonly shapeOf: ShapeOf
  readonly slot: string
  readonly publication: string
  readonly modes: ValueModes
  readonly version: string
  /** 0: `source.xmin` is null. */
  readonly xminMs: number
}

export function resolveOptions(
  options: PostgresOptions,
  pipeline: string,
  name: string,
  say: (line: string) => void = () => {},
): ResolvedOptions {
  const outbox = options.outbox && new Outbox(options.outbox, say)
  const prefix = options['topic.prefix'] ?? name
  const slot = options['slot.name'] ?? slotNameOf(pipeline, name)
  return {
    url: urlOf(options),
    life: slotLifeOf(options),
    snapshots: snapshotSettings(options),
    tables: (options.tables ?? []).filter((pattern) => !pattern.includes('*')),
    selectsTable: selectTables(options),
    selectsColumn: selects({
      include: options['column.include.list'],
      exclude: options['column.exclude.list'],
    }),
    masks: masksOf(options),
    keyColumns: parseKeyColumns(options['message.key.columns'] ?? ''),
    viaRoot: options['publish.via.partition.root'] ?? options.format === 'plain',
    streaming: options.streaming === 'on',
    decoding: { ...decodingOf(options), outbox },
    prefix,
    naming: namingOf(prefix, options),
    shapeOf: shaping(options, outbox),
    slot,
    publication: options['publication.name'] ?? slot,
    modes: modesOf(options),
    version,
    xminMs: options['xmin.fetch.interval.ms'],
  }
}

/** An outbox takes its table for itself. */
function shaping({ unwrap }: PostgresOptions, outbox: Outbox | undefined): ShapeOf {
  const isUnwrapped = unwrap && matchesAny(unwrap.tables)
  return ({ namespace, name, schema }) => {
    const table = `${namespace}.${name}`
    if (table === outbox?.table) {
      const texts = schema.columns.filter(({ kind }) => kind === 'string').map(({ name }) => name)
      return outbox.shape((column) => texts.includes(column))
    }
    return unwrap && isUnwrapped?.(table) ? unwrapping(unwrap, schema) : undefined
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

function selectTables(options: PostgresOptions): Selects {
  const { tables } = options
  const globs = tables?.map(matchesGlob)
  const bySchema = selects({
    include: options['schema.include.list'],
    exclude: options['schema.exclude.list'],
  })
  const byName = selects({
    include: options['table.include.list'],
    exclude: options['table.exclude.list'],
  })
  const isEmpty = options['publication.autocreate.mode'] === 'no_tables'
  if (isEmpty && tables === undefined && options['table.include.list'] === undefined) {
    return () => false
  }
  return (name) => {
    const schema = name.slice(0, name.indexOf('.'))
    return (globs?.some((matches) => matches(name)) ?? true) && bySchema(schema) && byName(name)
  }
}

function masksOf(options: PostgresOptions): Mask[] {
  return Object.entries(options).flatMap(([name, columns]) => {
    const groups = maskName.exec(name)?.groups
    if (groups === undefined || typeof columns !== 'string') return []
    const { mask, cut, v2, algorithm = '', salt = '' } = groups
    if (mask !== undefined) return [maskWith(Number(mask), columns)]
    if (cut !== undefined) return [truncateTo(Number(cut), columns)]
    return [hashWith({ columns, algorithm, salt, version: v2 === undefined ? 1 : 2 })]
  })
}

function decodingOf(options: PostgresOptions): DecodingOptions {
  return {
    skipped: new Set(splitList(options['skipped.operations'])),
    tombstones: options['tombstones.on.delete'],
    skipUnchanged: options['skip.messages.without.change'],
    transactions: options['provide.transaction.metadata'],
    batchRecords: options['max.batch.size'] ?? Number.POSITIVE_INFINITY,
    selectsMessage: selects({
      include: options['message.prefix.include.list'],
      exclude: options['message.prefix.exclude.list'],
    }),
  }
}

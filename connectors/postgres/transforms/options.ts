import { z } from 'zod'

/*
 * Options of what may become of a record on its way to its topic. Those inside each group have the
 * names that Debezium's transforms have: ExtractNewRecordState (unwrap), ByLogicalTableRouter
 * (route) and EventRouter (outbox).
 */

const regex = z.string().superRefine((text, context) => {
  try {
    new RegExp(text, 'u')
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

const topic = z
  .string()
  .regex(/^[A-Za-z0-9._-]+$/, 'must consist of letters, digits, `.`, `_` and `-`')

const unwrap = z.strictObject({
  tables: regex.default('.*').describe('Which tables, as regular expressions, by `schema.table`.'),
  'delete.tombstone.handling.mode': z
    .enum(['tombstone', 'rewrite', 'drop'])
    .default('tombstone')
    .describe(
      'A delete: only a tombstone; the old row with `__deleted`, which all rows then have; nothing.',
    ),
})

const rename = z.strictObject({
  topics: z
    .record(z.string(), topic)
    .default({})
    .describe('The whole name of a table’s topic, by `schema.table`.'),
  columns: z
    .record(z.string(), z.string().min(1))
    .default({})
    .describe('Names of columns in rows and keys, by `schema.table.column`.'),
})

const route = z.strictObject({
  'topic.regex': regex.describe('Which topics, by their whole name.'),
  'topic.replacement': z.string().min(1).describe('The topic instead; `$1` is what a group found.'),
  'key.enforce.uniqueness': z
    .boolean()
    .default(true)
    .describe('Whether keys name their table, so that those of two tables never meet.'),
  'key.field.name': z
    .string()
    .min(1)
    .default('__dbz__physicalTableIdentifier')
    .describe('The key’s member that does it.'),
  'key.field.regex': regex.optional().describe('What of the first topic is its value.'),
  'key.field.replacement': z.string().optional().describe('Its value; default: the whole topic.'),
})

const column = (name: string, what: string) => z.string().min(1).default(name).describe(what)

const outbox = z.strictObject({
  table: z
    .string()
    .regex(/^[^.]+\..+$/, 'must be `schema.table`')
    .optional()
    .describe('The table whose inserts are events, as `schema.table`.'),
  'message.prefix': z
    .string()
    .min(1)
    .optional()
    .describe('The prefix of logical messages that are events, without any table.'),
  'table.field.event.id': column('id', 'Column of the event’s id, which becomes the header `id`.'),
  'table.field.event.key': column('aggregateid', 'Column of the record’s key.'),
  'table.field.event.payload': column('payload', 'Column of the record’s value.'),
  'table.field.event.timestamp': z
    .string()
    .min(1)
    .optional()
    .describe('Column of the record’s time. Default: when it was committed.'),
  'table.fields.additional.placement': z
    .string()
    .regex(
      /^[^:,]+:(header|envelope)(:[^:,]+)?(,\s*[^:,]+:(header|envelope)(:[^:,]+)?)*$/,
      'must be `column:header:name,column:envelope:name`',
    )
    .optional()
    .describe('Further columns, as headers or beside the payload: `type:header:eventType`.'),
  'table.expand.json.payload': z
    .boolean()
    .default(false)
    .describe('Whether text is JSON: the value is then that, or else the text as a JSON string.'),
  'table.op.invalid.behavior': z
    .enum(['warn', 'error', 'fatal'])
    .default('warn')
    .describe('What is no event, such as an update: told and left out, or a reason to stop.'),
  'route.by.field': column('aggregatetype', 'Column that decides on the topic.'),
  'route.topic.regex': regex.default('(?<routedByValue>.*)').describe('What of it is used.'),
  'route.topic.replacement': z
    .string()
    .min(1)
    .default('outbox.event.$' + '{routedByValue}')
    .describe('The topic; in YAML, `$` before a brace is written `$$`.'),
  'route.tombstone.on.empty.payload': z
    .boolean()
    .default(false)
    .describe('Whether an event without a payload is a tombstone; else it is the value `null`.'),
})

export const transformOptions = {
  unwrap: unwrap.optional().describe('The row alone as the value, instead of the envelope.'),
  rename: rename.optional().describe('Other names for topics and columns.'),
  route: z.array(route).optional().describe('Several tables in one topic; the first that fits.'),
  outbox: outbox
    .refine((options) => options.table !== undefined || options['message.prefix'] !== undefined, {
      message: 'must have a `table` or a `message.prefix`',
    })
    .optional()
    .describe('Events of an outbox table, or of logical messages, in topics of their own.'),
} as const

const shape = z.object(transformOptions)
export type TransformOptions = Readonly<z.output<typeof shape>>
export type UnwrapOptions = z.output<typeof unwrap>
export type OutboxOptions = z.output<typeof outbox>

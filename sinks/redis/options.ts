import { z } from 'zod'
import { idTemplate } from '../../src/core/document-id.ts'
import { secret, secrets } from '../../src/core/secret.ts'
import { assertConfined, keyTemplate } from './keys.ts'
import { rowTemplate } from './row-template.ts'

const file = z.string().min(1).optional()

const tls = z.strictObject({
  ca: file.describe('File with the certificate authority, as PEM.'),
  cert: file.describe('File with the certificate that this client shows, as PEM.'),
  key: file.describe('File with the key of that certificate, as PEM.'),
  insecure: z.boolean().default(false).describe('Accept any certificate. For trials only.'),
})

const template = (read: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      read(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
    }
  })

const confinedTemplate = template(confined)

const shape = z.strictObject({
  url: z
    .url({ protocol: /^rediss?$/ })
    .refine((url) => !url.includes('?'), 'must not have a query: options stand beside it')
    .describe(
      'Address of the server, or of any node of a cluster, such as redis://localhost:6379/0, with rediss for TLS; may hold user and password.',
    )
    .register(secrets, { secret: true }),
  sentinels: z
    .array(z.string().regex(/:\d+$/, 'must be a host and a port, such as localhost:26379'))
    .min(1)
    .optional()
    .describe(
      'Addresses of Redis Sentinels. The host in `url` is then the name by which they know the primary.',
    ),
  sentinelPassword: secret('Password that the Sentinels ask for.')
    .optional()
    .describe('Password that the Sentinels ask for.'),
  as: z
    .enum(['string', 'hash', 'json', 'set', 'zset', 'stream', 'publish', 'invalidate'])
    .default('string')
    .describe(
      'What a row becomes: a document as JSON text, as a hash with a field for each column, or as JSON of the JSON module; a member of a set, or of a sorted one; an entry of a stream; a message; or the removal of the keys that it concerns.',
    ),
  key: z
    .string()
    .optional()
    .describe(
      'Key of a document, from columns of the record\'s key, such as "order:{id}"; "order:{}" takes the whole key. Of a set or a stream: from any columns of the row. It must begin with a text, which no other data in Redis should begin with. Default: the topic, a colon, and the whole key; for a stream the topic.',
    ),
  keys: z
    .array(confinedTemplate)
    .min(1)
    .optional()
    .describe(
      'For `invalidate`: the keys to remove, from columns of the old row and of the new one, such as "customer:{customer_id}:orders".',
    ),
  member: template((text) => text === '{}' || idTemplate(text))
    .default('{}')
    .describe("For `set` and `zset`: the member, from columns of the record's key."),
  score: z
    .string()
    .min(1)
    .optional()
    .describe('For `zset`: the column with the score, a number or a time.'),
  channel: template(rowTemplate)
    .optional()
    .describe(
      'For `publish`: the channel, from columns of the row. Otherwise a channel where every key is told once it has changed.',
    ),
  maxLength: z
    .int()
    .positive()
    .optional()
    .describe('For `stream`: about how many entries are kept. Default: all.'),
  holdMs: z
    .int()
    .min(0)
    .default(100)
    .describe(
      'For `invalidate`: how long nobody may fill a key after it was removed; more than a replica of the database that readers ask is behind.',
    ),
  ttlMs: z
    .int()
    .positive()
    .optional()
    .describe('How long after its last change a document is kept. Default: for ever.'),
  deleteTtlMs: z
    .int()
    .min(1000)
    .optional()
    .describe(
      'How long the version of a delete is kept, so that no older write revives the document; more than the longest replay. Default: 7 days; 1 hour for `invalidate`.',
    ),
  batchKeys: z
    .int()
    .min(1)
    .max(1000)
    .default(100)
    .describe('Most keys in one call of the script; the server does nothing else meanwhile.'),
  timeoutMs: z
    .int()
    .min(100)
    .default(30_000)
    .describe('How long to wait for an answer before the connection counts as lost.'),
  tls: tls.optional().describe('Certificates, for addresses with rediss.'),
})

/** What is wanted, and what means nothing, in some forms. */
export const options = shape.superRefine((options, context) => {
  const { as, key, keys, score, channel, ttlMs, maxLength } = options
  const fault = (path: string, message: string) =>
    context.addIssue({ code: 'custom', message, path: [path] })
  const only = (name: string, value: unknown, forms: readonly string[]) => {
    if (value !== undefined && !forms.includes(as)) fault(name, `means nothing as: ${as}`)
  }
  only('key', key, ['string', 'hash', 'json', 'set', 'zset', 'stream'])
  only('keys', keys, ['invalidate'])
  only('score', score, ['zset'])
  only('ttlMs', ttlMs, ['string', 'hash', 'json'])
  only('maxLength', maxLength, ['stream'])
  if (as === 'invalidate' && keys === undefined) fault('keys', 'must name the keys to remove')
  if (as === 'zset' && score === undefined) fault('score', 'must name the column with the score')
  if (as === 'publish' && channel === undefined) fault('channel', 'must name the channel')
  if ((as === 'set' || as === 'zset') && key === undefined) fault('key', 'must name the set')
  if (as !== 'publish' && channel?.includes('{')) fault('channel', 'must not name columns')
  const readKey = isDocumentForm(as) ? keyTemplate : confined
  try {
    if (key !== undefined) readKey(key)
  } catch (error) {
    fault('key', (error as Error).message)
  }
})

/** Whether each record is a document, found by its key alone. */
export function isDocumentForm(as: z.infer<typeof shape>['as']): as is 'string' | 'hash' | 'json' {
  return as === 'string' || as === 'hash' || as === 'json'
}

function confined(text: string): void {
  rowTemplate(text)
  assertConfined(text)
}

export type RedisOptions = z.infer<typeof options>

import { z } from 'zod'
import { idTemplateOption } from '../../src/core/document-id.ts'
import { secret, secrets } from '../../src/core/secret.ts'
import { isFamily, timePattern } from './placement.ts'

const url = z
  .url({ protocol: /^https?$/ })
  .describe('Address of a node, such as http://localhost:9200; may hold user and password.')
  .register(secrets, { secret: true })

const auth = z
  .union([
    z.strictObject({ apiKey: secret('API key, as `id:key` in base64.') }),
    z.strictObject({
      username: z.string().min(1).describe('User name.'),
      password: secret('Password.'),
    }),
    z.strictObject({ bearer: secret('Bearer token.') }),
  ])
  .describe('How to sign in: `apiKey`, `username` and `password`, or `bearer`.')

const tls = z.strictObject({
  ca: z.string().min(1).optional().describe('File with the certificate authority, as PEM.'),
  caFingerprint: z
    .string()
    .regex(/^([0-9a-f]{2}:?){32}$/i, 'must be a SHA-256 fingerprint: 64 hexadecimal digits')
    .optional()
    .describe('SHA-256 fingerprint of the certificate authority, as Elasticsearch prints it.'),
  cert: z
    .string()
    .min(1)
    .optional()
    .describe('File with the certificate that this client shows, as PEM; needs `tls.key`.'),
  key: z.string().min(1).optional().describe('File with the key of that certificate, as PEM.'),
  passphrase: secret('What that key is encrypted with.').optional(),
  insecure: z.boolean().default(false).describe('Accept any certificate. For trials only.'),
})

/** Lower case and free of what Elasticsearch forbids in the name of an index. */
const indexName = z.string().refine(isIndexName, 'is not the name of an index')

/** A column and the format of a time may stand in it. */
function isIndexName(name: string): boolean {
  const plain = name.replace(timePattern, '0')
  return /^[^-_+.\s\\/*?"<>|,#:{}A-Z][^\s\\/*?"<>|,#:{}A-Z]{0,254}$/.test(plain)
}

/** Any JSON object: handed to the server as it is. */
const json = z.record(z.string(), z.json())

const fields = z
  .strictObject({
    include: z.array(z.string()).optional().describe('Columns to write. Default: all.'),
    exclude: z.array(z.string()).optional().describe('Columns not to write.'),
    rename: z.record(z.string(), z.string()).optional().describe('Fields by column.'),
  })
  .describe('Which columns become fields, and under which names.')

const softDelete = z.strictObject({
  field: z.string().min(1).describe('Set to true in the documents of deleted rows.'),
})

const shape = z.strictObject({
  url: z
    .union([url, z.array(url).min(1)])
    .describe('Address of the cluster, or a list of its nodes: the next one is used if one fails.'),
  index: indexName
    .optional()
    .describe(
      'Index to write, or an alias of one. May name an index for each time, as `orders-{created_at:yyyy.MM}`. Default: the name of the view or table it reads.',
    ),
  alias: indexName
    .optional()
    .describe(
      'Alias for readers. It hides documents marked as deleted. Of indexes by time, it names those that serve.',
    ),
  id: idTemplateOption(
    'Id of a document, from columns of the key, such as `{id}`. Default: the key.',
  ).optional(),
  routing: z
    .string()
    .regex(/\{[^{}]+\}/, 'must name a column, such as {customer_id}')
    .optional()
    .describe('Routing of a document, from columns of the row, such as `{customer_id}`.'),
  fields: fields.optional(),
  deletes: z
    .union([z.enum(['remove', 'tombstone', 'ignore']), softDelete])
    .optional()
    .describe(
      'What becomes of a deleted row’s document: removed; replaced by a tombstone that keeps its version; marked by `field`; or nothing. Default: `remove`; `tombstone` where several instances run.',
    ),
  tombstonesForMs: z
    .int()
    .min(60_000)
    .default(86_400_000)
    .describe('How long tombstones are kept: longer than the longest replay. Default: a day.'),
  auth: auth.optional(),
  tls: tls.optional().describe('For addresses with https.'),
  mapping: json
    .optional()
    .describe('Mapping of fields, as `properties` in Elasticsearch; goes before a generated one.'),
  timestamps: z
    .enum(['date', 'date_nanos'])
    .default('date')
    .describe(
      'How timestamps are mapped: `date` finds and sorts by milliseconds, `date_nanos` by all their digits, from 1970 to 2262.',
    ),
  dynamic: z
    .union([z.boolean(), z.enum(['strict', 'runtime'])])
    .optional()
    .describe(
      'What becomes of fields without a mapping, as `dynamic` in Elasticsearch. Default: `strict` once the columns are known, true before.',
    ),
  settings: json
    .default({})
    .describe('Settings of the index when it is created, such as `number_of_shards`.'),
  gcDeletes: z
    .string()
    .regex(/^\d+(ms|s|m|h|d)$/, 'must be a time such as 1h')
    .default('1h')
    .describe('How long a delete is remembered, so that no older write revives its document.'),
  template: indexName
    .optional()
    .describe(
      'Index template of this name is kept for indexes by time, so that one that others make has the mapping, too.',
    ),
  reshaped: z
    .enum(['refill', 'pause'])
    .default('refill')
    .describe(
      'When `id`, `fields`, `routing` or `deletes` have changed: the index is emptied and filled again, or it serves as it is until `millrace reindex` or `millrace sink refill`.',
    ),
  batchBytes: z.int().min(1024).max(100_000_000).default(5_000_000).describe('Largest request.'),
  batchDocuments: z.int().min(1).max(100_000).default(1_000).describe('Most documents a request.'),
  inFlight: z
    .int()
    .min(1)
    .max(32)
    .default(4)
    .describe('Most requests at the same time; as many are sent as the server takes well.'),
  gzip: z
    .boolean()
    .optional()
    .describe('Whether requests are packed. Default: unless the server is on this machine.'),
  leaseMs: z
    .int()
    .min(100)
    .default(30_000)
    .describe(
      'After so long without a checkpoint, it is looked whether another instance took over.',
    ),
  requestTimeoutMs: z
    .int()
    .min(100)
    .default(90_000)
    .describe('How long to wait for an answer. The server itself waits a minute for a shard.'),
})

/** Options of the sink. */
export const elasticsearchOptions = shape.refine(
  ({ template, index = '' }) => template === undefined || isFamily(index),
  { path: ['template'], error: 'is for indexes by time, such as `orders-{created_at:yyyy.MM}`' },
)

export type ElasticsearchOptions = z.infer<typeof elasticsearchOptions>
export type TlsOptions = z.infer<typeof tls>
export type AuthOptions = z.infer<typeof auth>

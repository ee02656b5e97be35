import { z } from 'zod'
import { secrets } from '../../src/core/secret.ts'
import { keyTemplate } from './keys.ts'

const file = z.string().min(1).optional()

const tls = z.strictObject({
  ca: file.describe('File with the certificate authority, as PEM.'),
  cert: file.describe('File with the certificate that this client shows, as PEM.'),
  key: file.describe('File with the key of that certificate, as PEM.'),
  insecure: z.boolean().default(false).describe('Accept any certificate. For trials only.'),
})

const template = z.string().superRefine((text, context) => {
  try {
    keyTemplate(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

export const options = z.strictObject({
  url: z
    .url({ protocol: /^rediss?$/ })
    .refine((url) => !url.includes('?'), 'must not have a query: options stand beside it')
    .describe(
      'Address of the server, such as redis://localhost:6379/0, with rediss for TLS; may hold user and password.',
    )
    .register(secrets, { secret: true }),
  key: template
    .optional()
    .describe(
      'Key of a document, from columns of the record\'s key, such as "order:{id}"; "order:{}" takes the whole key. It must begin with a text, which no other data in Redis should begin with. Default: the topic, a colon, and the whole key.',
    ),
  as: z
    .enum(['string', 'hash'])
    .default('string')
    .describe('How a document is stored: as JSON text, or as a hash with a field for each column.'),
  ttlMs: z
    .int()
    .positive()
    .optional()
    .describe('How long after its last change a document is kept. Default: for ever.'),
  deleteTtlMs: z
    .int()
    .min(1000)
    .default(604_800_000)
    .describe(
      'How long the version of a delete is kept, so that no older write revives the document; more than the longest replay. Default: 7 days.',
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

export type RedisOptions = z.infer<typeof options>

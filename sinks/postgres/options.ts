import { z } from 'zod'
import { idTemplateOption } from '../../src/core/document-id.ts'
import { tlsShape } from '../../src/core/postgres-tls.ts'
import { secrets } from '../../src/core/secret.ts'

/** PostgreSQL cuts longer names. */
const name = z
  .string()
  .min(1)
  .max(50, 'must have 50 letters at most')
  .refine((text) => !text.startsWith('millrace_'), 'must not begin with millrace_')

export const options = z.strictObject({
  type: z.literal('postgres'),
  url: z
    .url({ protocol: /^postgres(ql)?$/ })
    .describe('Address of the database, such as postgres://user:password@localhost:5432/shop.')
    .register(secrets, { secret: true }),
  ...tlsShape,
  schema: name.default('public').describe('Schema of the table. It must exist.'),
  table: name
    .optional()
    .describe(
      'Table that holds the rows. Made if it is missing. Default: the name of what is read, without pipeline.',
    ),
  id: idTemplateOption(
    'Makes the id from columns of the key, such as `order:{id}`. Default: the key, joined by "/".',
  ).optional(),
  timeoutMs: z
    .int()
    .min(1000)
    .default(30_000)
    .describe('How long to wait for a connection, and for a lock.'),
})

export type PostgresSinkOptions = z.infer<typeof options>

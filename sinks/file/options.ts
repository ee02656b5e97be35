import { z } from 'zod'

export const options = z.strictObject({
  type: z.literal('file'),
  path: z
    .string()
    .min(1)
    .describe(
      'File to append to, or "-" for standard output. A partition other than 0 adds its number: `out.ndjson.1`.',
    ),
  include: z
    .enum(['document', 'envelope'])
    .default('document')
    .describe(
      'What a line holds of a change: the row after it (`document`), or the whole change (`envelope`).',
    ),
})

export type FileOptions = z.infer<typeof options>

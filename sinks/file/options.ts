import { z } from 'zod'

export const options = z.strictObject({
  type: z.literal('file'),
  path: z
    .string()
    .min(1)
    .describe(
      'File to append to, or "-" for standard output. `{topic}` in it is the topic’s name: each topic has a file of its own. A partition other than 0 adds its number: `out.ndjson.1`.',
    ),
  include: z
    .enum(['document', 'envelope'])
    .default('document')
    .describe(
      'What a line holds of a change: the row after it (`document`), or the whole change (`envelope`).',
    ),
})

export type FileOptions = z.infer<typeof options>

/** The file of a topic, which may have any character in its name. */
export function pathOf({ path }: Pick<FileOptions, 'path'>, topic: string): string {
  const name = topic.replace(/[%/\0]/g, (mark) => encodeURIComponent(mark))
  return path.replaceAll('{topic}', () => name)
}

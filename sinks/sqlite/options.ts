import { z } from 'zod'
import { idTemplateOption } from '../../src/core/document-id.ts'

const reserved = ['rowid', 'id', 'doc', 'version', 'ordinal', 'key', 'partition', 'rank']

const field = z
  .string()
  .regex(/^[^."'\s]+(\.[^."'\s]+)*$/, 'must be names joined by dots, such as customer.name')

const name = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and underscores')
  .refine((text) => !/^(sqlite|millrace)_/i.test(text), 'must not begin with sqlite_ or millrace_')

const column = name.refine(
  (text) => !reserved.includes(text.toLowerCase()),
  `must be none of ${reserved.join(', ')}`,
)

export const options = z.strictObject({
  type: z.literal('sqlite'),
  path: z
    .string()
    .min(1)
    .describe('The database file. Made if it is missing; others may be in it.'),
  table: name
    .optional()
    .describe(
      'Table that holds the documents. Default: the name of what is read, without pipeline.',
    ),
  id: idTemplateOption(
    'Makes the id from columns of the key, such as `order:{id}`. Default: the key, joined by "/".',
  ).optional(),
  columns: z
    .record(column, field)
    .default({})
    .describe(
      'Indexed columns taken out of the document: a name, and the field, such as customer.id.',
    ),
  search: z
    .array(field)
    .default([])
    .superRefine((fields, context) => {
      const names = fields.map((field) => searchColumn(field).toLowerCase())
      for (const [i, name] of names.entries()) {
        if (reserved.includes(name) || names.indexOf(name) < i) {
          const message = `${fields[i]} would be the column ${name}, which is taken`
          context.addIssue({ code: 'custom', message, path: [i] })
        }
      }
    })
    .describe('Fields whose text is searched in `<table>_search`; all text below a field counts.'),
})

export type SqliteOptions = z.infer<typeof options>

/** The full-text column of a field: `customer.name` is searched as `customer_name`. */
export function searchColumn(field: string): string {
  return field.replaceAll(/[^\p{L}\p{N}]/gu, '_')
}

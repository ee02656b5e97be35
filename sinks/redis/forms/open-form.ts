import { type IdOf, idTemplate, keyId } from '../../../src/core/document-id.ts'
import { defaultTemplate, keyTemplate, literalHead } from '../keys.ts'
import { isDocumentForm, type RedisOptions } from '../options.ts'
import { type RowTemplate, rowTemplate } from '../row-template.ts'
import { Documents } from './documents.ts'
import { Publication, StreamEntries } from './entries.ts'
import type { Form } from './form.ts'
import { Invalidation } from './invalidation.ts'
import { Members } from './members.ts'

const dayMs = 24 * 3_600_000
const hourMs = 3_600_000

/** The form that the options ask for. */
export function openForm(options: RedisOptions, topic: string): Form {
  const { as, ttlMs = 0, holdMs, batchKeys, channel = '', maxLength = 0 } = options
  const { deleteTtlMs = as === 'invalidate' ? hourMs : 7 * dayMs } = options
  const common = { deleteTtlMs, batchKeys, channel: literalHead(channel) }
  if (isDocumentForm(as)) {
    const keys = keyTemplate(options.key ?? defaultTemplate(topic))
    return new Documents({ ...common, kind: as, keys, ttlMs })
  }
  if (as === 'invalidate') {
    return new Invalidation({ ...common, templates: options.keys!.map(rowTemplate), holdMs })
  }
  if (as === 'publish') {
    return new Publication({ place: rowTemplate(channel), maxLength: 0, batchKeys })
  }
  const key = rowKey(options, topic)
  if (as === 'stream') return new StreamEntries({ place: key, maxLength, batchKeys })
  return new Members({
    ...common,
    kind: as,
    key,
    memberOf: memberOf(options),
    score: options.score,
  })
}

/** Where a row lies, in the forms that go by its columns. */
export function rowKey({ key }: RedisOptions, topic: string): RowTemplate {
  return rowTemplate(key ?? topic.replaceAll('{', '{{').replaceAll('}', '}}'))
}

/** The member that a record's key becomes. */
export function memberOf({ member }: RedisOptions): IdOf {
  return member === '{}' ? keyId : idTemplate(member)
}

import { idTemplate, keyId } from '../../../src/core/document-id.ts'
import { defaultTemplate, keyTemplate, literalHead } from '../keys.ts'
import { isDocumentForm, type RedisOptions } from '../options.ts'
import { rowTemplate } from '../row-template.ts'
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
  const literalTopic = topic.replaceAll('{', '{{').replaceAll('}', '}}')
  const key = rowTemplate(options.key ?? literalTopic)
  if (as === 'stream') return new StreamEntries({ place: key, maxLength, batchKeys })
  const memberOf = options.member === '{}' ? keyId : idTemplate(options.member)
  return new Members({ ...common, kind: as, key, memberOf, score: options.score })
}

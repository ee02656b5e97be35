import { type IdOf, keyId } from './document-id.ts'
import { type Envelope, readChange } from './envelope.ts'
import { MillraceError } from './errors.ts'
import type { LogRecord } from './record.ts'
import type { Refusal } from './sink.ts'

/** What a record means to a target that keeps documents by id: the document's next state. */
export interface Document {
  readonly id: string
  /** The record's key, which several of one id may differ in. */
  readonly key: Uint8Array
  /** The row after the change, as JSON bytes; `null`: the document is deleted. */
  readonly body: Uint8Array | null
  /** The row before the change, where the record tells it. */
  readonly before: Uint8Array | null
  readonly version: bigint
  readonly ordinal: number
}

/**
 * Reads a record as a change of a document: create, update and snapshot reads write it; a delete
 * and a tombstone delete it. Truncates and logical messages concern no document. A record that no
 * target could place, having no key or no envelope, is refused. Pieces of the result are views into
 * it.
 */
export function decodeDocument(
  record: LogRecord,
  idOf: IdOf = keyId,
): Document | 'filtered' | Refusal {
  const { key, version, ordinal } = record
  try {
    const envelope = readChange(record)
    if (envelope.op === 't' || envelope.op === 'm') return 'filtered'
    if (key === null) return noKey
    const body = envelope.op === 'd' ? null : afterOf(envelope)
    return { id: idOf(key), key, body, before: envelope.before, version, ordinal }
  } catch (error) {
    if (error instanceof MillraceError || !(error instanceof SyntaxError)) throw error
    return { code: 'not_a_change', reason: `The record cannot be read: ${error.message}.` }
  }
}

const noKey: Refusal = {
  code: 'no_key',
  reason:
    'The record has no key, so no document can be found by it; name one with `message.key.columns`.',
}

function afterOf({ op, after }: Envelope): Uint8Array {
  if (after === null) throw new SyntaxError(`a change with op "${op}" must have an "after"`)
  return after
}

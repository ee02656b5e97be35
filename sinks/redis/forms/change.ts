import { type Op, readChange } from '../../../src/core/envelope.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Refusal } from '../../../src/core/sink.ts'
import type { MissingColumn, Row, RowTemplate } from '../row-template.ts'

/** A record as a step of one row, from before to after. */
export interface Change {
  readonly op: Op
  readonly key: Uint8Array
  readonly before: Uint8Array | null
  readonly after: Uint8Array | null
}

/** Truncates and logical messages concern no row. */
export function changeOf(record: LogRecord): Change | 'filtered' | Refusal {
  try {
    const { op, before, after } = readChange(record)
    const { key } = record
    if (op === 't' || op === 'm') return 'filtered'
    if (key === null) return noKey
    return { op, key, before, after }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { code: 'not_a_change', reason: `The record cannot be read: ${error.message}.` }
  }
}

const noKey: Refusal = {
  code: 'no_key',
  reason: 'The record has no key; name one with `message.key.columns`.',
}

/** The rows of a change that name keys: the old and the new one, each completed by the key. */
export function rowsOf({ key, before, after }: Change): readonly Row[] {
  const rows = [before, after].filter((body) => body !== null).map((body) => ({ body, key }))
  // A tombstone that compaction left: what its key alone names is all that is known.
  return rows.length === 0 ? [{ body: null, key }] : rows
}

/**
 * The text of a template for a row; `null` if it names nothing: a column is null, or only the key
 * is left of the row.
 */
export function textOf(template: RowTemplate, row: Row): string | null | Refusal {
  const text = template.fill(row)
  if (typeof text === 'string' || text === null) return text
  return row.body === null ? null : noColumn(text, template.template)
}

export function noColumn({ missing }: MissingColumn, template: string): Refusal {
  const reason = `The row has no column ${missing}, which "${template}" names.`
  return { code: 'no_column', reason }
}

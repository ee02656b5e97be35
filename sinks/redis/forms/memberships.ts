import type { Refusal } from '../../../src/core/sink.ts'
import { columnText, type Row, type RowTemplate } from '../row-template.ts'
import { type Change, noColumn, textOf } from './change.ts'

/** Whether a row is in a set: its score, '' in a set without; `null`: it is not. */
export interface Membership {
  readonly set: string
  readonly score: string | null
}

export interface Membering {
  /** The set's key, from the row. */
  readonly key: RowTemplate
  /** The field that holds the score. */
  readonly score: string | undefined
}

/** What a change means for the sets that it concerns: the one that the row has left comes first. */
export function membershipsOf(
  { key, before, after }: Change,
  { key: template, score: column }: Membering,
): readonly Membership[] | Refusal {
  if (before === null && after === null) {
    // A bare tombstone: only a set that the key names can be told.
    const named = textOf(template, { body: null, key })
    return typeof named === 'string' ? [{ set: named, score: null }] : []
  }
  const old = before === null ? null : textOf(template, { body: before, key })
  const now = after === null ? null : textOf(template, { body: after, key })
  if (now !== null && typeof now !== 'string') return now
  if (old !== null && typeof old !== 'string') return old
  const score = now === null ? '' : scoreOf({ body: after, key }, column)
  if (typeof score !== 'string') return score
  return [
    ...(old === null || old === now ? [] : [{ set: old, score: null }]),
    ...(now === null ? [] : [{ set: now, score }]),
  ]
}

function scoreOf(row: Row, column: string | undefined): string | Refusal {
  if (column === undefined) return ''
  const text = columnText(row, column, column.split('.'))
  if (text !== null && typeof text !== 'string') return noColumn(text, column)
  const number = text === null ? Number.NaN : numberOf(text)
  if (Number.isFinite(number)) return String(number)
  return { code: 'no_score', reason: `The column ${column} holds neither a number nor a time.` }
}

/** Times become milliseconds since 1970. */
function numberOf(text: string): number {
  const number = Number(text)
  return Number.isNaN(number) ? Date.parse(text) : number
}

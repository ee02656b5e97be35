import type { IdOf } from './document-id.ts'
import type { Position } from './source.ts'

/** What a target holds under an id. */
export interface StoredDocument {
  readonly id: string
  readonly version: bigint
  /** JSON text; `null`: the document was deleted, and the target remembers when. */
  readonly doc: string | null
}

/**
 * The reading side of a sink: what it has written, as the target holds it now. It changes nothing,
 * claims nothing, and may be open beside the sink that writes.
 */
export interface Reading {
  /** The id of a record's key. Throws SyntaxError if the key is not JSON. */
  readonly idOf: IdOf
  /** A key of this id, if one can be told from the id alone. */
  keyOf(id: string): Uint8Array | undefined
  /** The JSON text that the target would give back for a row; by default the row itself. */
  render?(body: Uint8Array): string
  /** Whether documents go by themselves after some time. */
  readonly expires: boolean
  /** Whether documents stay when their rows are deleted. */
  readonly keepsDeleted?: boolean
  /** How far the sink has come; `null` if there is no checkpoint. */
  checkpoint(): Promise<Position | null>
  /** How many documents there are, deleted ones not counted. */
  count(): Promise<number>
  /** All documents that this sink wrote. What is written meanwhile may be missed. */
  all(): AsyncIterable<StoredDocument>
  /** The newest state of some ids; those that the target knows nothing of are left out. */
  some(ids: readonly string[]): Promise<readonly StoredDocument[]>
  close(): Promise<void>
}

/**
 * Guesses the key behind an id: that of a template with one column, or a bare text. `undefined` if
 * the guess does not lead back to the id.
 */
export function guessKey(id: string, idOf: IdOf, template = '{}'): Uint8Array | undefined {
  const [, head = '', column = '', tail = ''] =
    /^((?:\{\{|\}\}|[^{}])*)\{([^{}]*)\}((?:\{\{|\}\}|[^{}])*)$/.exec(template) ?? []
  const text = id.slice(unescaped(head).length, id.length - unescaped(tail).length)
  const key = Buffer.from(JSON.stringify(column === '' ? text : { [column]: text }))
  try {
    return idOf(key) === id ? key : undefined
  } catch {
    return undefined
  }
}

function unescaped(literal: string): string {
  return literal.replaceAll('{{', '{').replaceAll('}}', '}')
}

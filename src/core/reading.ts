import { decodeDocument } from './document.ts'
import type { IdOf } from './document-id.ts'
import type { LogRecord } from './record.ts'
import type { Position } from './source.ts'

/** What a target holds under an id. */
export interface StoredDocument {
  readonly id: string
  readonly version: bigint
  /** JSON text; `null`: the document was deleted, and the target remembers when. */
  readonly doc: string | null
}

/** What a target should hold under an id once a record has come through. */
export interface ToldState {
  readonly id: string
  /** JSON text; `null`: nothing. */
  readonly doc: (() => string) | null
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
  /**
   * What a record comes to, where that is not one document under the id of its key: members of
   * sets, entries of a stream, keys of a cache. None for a record that the sink passes over.
   */
  statesOf?(record: LogRecord): readonly ToldState[]
  /** Whether documents go by themselves after some time. */
  readonly expires: boolean
  /**
   * Whether deletes are what counts, as for keys of a cache: the version of each is told until it
   * is forgotten, so that one that never came through is found.
   */
  readonly tellsDeletes?: boolean
  /** Whether `all`, `count` and `some` tell what was written from all partitions, not from one. */
  readonly tellsAll?: boolean
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

/** What a target should hold once a record has come through. */
export function statesOf(
  reading: Pick<Reading, 'idOf' | 'render' | 'statesOf'>,
  record: LogRecord,
): readonly ToldState[] {
  if (reading.statesOf) return reading.statesOf(record)
  const document = decodeDocument(record, reading.idOf)
  if (typeof document === 'string' || 'code' in document) return []
  const { id, body } = document
  if (body === null) return [{ id, doc: null }]
  return [{ id, doc: () => reading.render?.(body) ?? Buffer.from(body).toString() }]
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

/*
 * What becomes of the document when its row is deleted:
 *
 *   remove      it is deleted; the server forgets the delete's version after `gcDeletes`, or when
 *               it opens the shard again
 *   tombstone   {"millrace_deleted":true,"millrace_deleted_at":1700000000000} takes its place, and
 *               keeps the version for as long as `tombstonesForMs`
 *   {field: f}  it stays, with "f":true
 *   ignore      it stays
 */
import type { Document } from '../../src/core/document.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { Fields } from './mapping.ts'
import { withMember } from './members.ts'
import type { ElasticsearchOptions } from './options.ts'

export type Deletes = 'remove' | 'tombstone' | 'ignore' | { readonly field: string }

export const tombstoneField = 'millrace_deleted'
export const tombstoneTimeField = 'millrace_deleted_at'

/** What is written for a deleted document; `null`: it is removed. */
export function bodyOfDeleted(
  deletes: Deletes,
  before: Uint8Array | null,
  now = Date.now(),
): Uint8Array | null {
  if (typeof deletes === 'object') return withMember(before, deletes.field, 'true')
  if (deletes !== 'tombstone') return null
  return Buffer.from(`{"${tombstoneField}":true,"${tombstoneTimeField}":${now}}`)
}

/** The fields that mark deleted documents. */
export function fieldsOfDeleted(deletes: Deletes): Fields {
  if (typeof deletes === 'object') return { [deletes.field]: { type: 'boolean' } }
  if (deletes !== 'tombstone') return {}
  return {
    [tombstoneField]: { type: 'boolean' },
    [tombstoneTimeField]: { type: 'date', format: 'epoch_millis' },
  }
}

/** A search that finds the documents that are not deleted; `undefined`: all. */
export function liveOnly(deletes: Deletes): object | undefined {
  const [field] = Object.keys(fieldsOfDeleted(deletes))
  return field === undefined ? undefined : { bool: { must_not: { term: { [field]: true } } } }
}

/** Whether a document found in the index stands for a deleted one. */
export function isDeleted(deletes: Deletes, source: object): boolean {
  const [field] = Object.keys(fieldsOfDeleted(deletes))
  return field !== undefined && (source as Readonly<Record<string, unknown>>)[field] === true
}

/** Whether a deletion is none of the sink's business. */
export function isIgnored(deletes: Deletes, { body }: Pick<Document, 'body'>): boolean {
  return deletes === 'ignore' && body === null
}

/** Where instances run beside each other, one may write late what another has deleted. */
export function deletesOf(
  { deletes }: ElasticsearchOptions,
  { shared }: Pick<SinkContext, 'shared'>,
): Deletes {
  return deletes ?? (shared ? 'tombstone' : 'remove')
}

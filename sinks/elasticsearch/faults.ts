import { MillraceError } from '../../src/core/errors.ts'
import type { Answer } from './client.ts'

/** What Elasticsearch says is wrong, with an item or with a whole request. */
export interface Complaint {
  readonly type: string
  readonly reason: string
}

/** The error for an answer that is no success. `what` says what was tried, as a noun. */
export function faultOf({ status, body }: Answer, what: string): MillraceError {
  const complaint = readComplaint(body)
  const fault = complaint && faultOfComplaint(complaint)
  if (fault !== undefined) return fault
  const said = `${what} was answered with ${status}${describe(complaint, body)}.`
  if (status === 401 || status === 403) return new MillraceError('ACCESS_DENIED', said)
  if (status === 429 || status === 503) return new MillraceError('TARGET_BUSY', said)
  if (status >= 500 || complaint === undefined) return new MillraceError('CONNECTION_LOST', said)
  return new MillraceError('TARGET_MISCONFIGURED', said)
}

/**
 * What is wrong with the index and not with the document, whatever the status beside it: a closed
 * index answers 400 and a full disk 429, as a faulty document and a busy server do.
 */
export function faultOfComplaint({ type, reason }: Complaint): MillraceError | undefined {
  const said = cut(`${type}: ${reason}`)
  if (type === 'index_not_found_exception') return new MillraceError('TARGET_CHANGED', said)
  if (type === 'cluster_block_exception') {
    const fix = reason.includes('/12/')
      ? 'Free disk space on the server; it lifts the block then.'
      : 'Remove the block from the settings of the index.'
    return new MillraceError('TARGET_BLOCKED', `${said} ${fix}`)
  }
  if (type === 'index_closed_exception') {
    return new MillraceError('TARGET_BLOCKED', `${said} Open the index.`)
  }
  if (type === 'security_exception') return new MillraceError('ACCESS_DENIED', said)
  const fix = misconfigured(type, reason)
  return fix === undefined ? undefined : new MillraceError('TARGET_MISCONFIGURED', `${said} ${fix}`)
}

function misconfigured(type: string, reason: string): string | undefined {
  if (reason.includes('Limit of total fields')) {
    return 'Raise `index.mapping.total_fields.limit`, or set `dynamic: false`.'
  }
  if (reason.includes('no write index is defined for alias')) {
    return 'Give the alias a write index, or name the index itself.'
  }
  if (reason.includes('cannot be changed from type')) {
    return 'Fill an index with the new mapping by `millrace reindex`, or set `mapping` for it.'
  }
  if (type === 'routing_missing_exception')
    return 'Set `routing`, or use an index that requires none.'
  return undefined
}

/** Reasons may hold a whole field value: 40 kB have been seen. */
export function cut(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 299)}…`
}

/** `undefined` if the body is not what Elasticsearch writes: from a proxy, or empty. */
export function readComplaint(body: Buffer): Complaint | undefined {
  const { error } = (parse(body) ?? {}) as { error?: Partial<Complaint> | string }
  if (typeof error === 'string') return { type: 'error', reason: error }
  if (typeof error?.type !== 'string') return undefined
  return { type: error.type, reason: error.reason ?? '' }
}

function describe(complaint: Complaint | undefined, body: Buffer): string {
  if (complaint !== undefined) return `, ${cut(`${complaint.type}: ${complaint.reason}`)}`
  const text = body.toString('utf8', 0, 200).replace(/\s+/g, ' ').trim()
  return text === '' ? '' : `, which is not from Elasticsearch: ${text.slice(0, 80)}`
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

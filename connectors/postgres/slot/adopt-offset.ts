import { MillraceError } from '../../../src/core/errors.ts'
import { type Lsn, parseLsn } from '../wal/lsn.ts'

/*
 * What Debezium's Postgres connector stores of where it is, as JSON:
 *
 *   {"lsn_proc":…,"lsn_commit":…,"lsn":…,"txId":…,"ts_usec":…,
 *    "snapshot":…,"last_snapshot_record":…}
 *
 * `lsn_commit` is the end of the last whole commit, as a number; `snapshot` is there only while the
 * snapshot runs, or with `last_snapshot_record` true right after it.
 */

/**
 * The end of the last commit that an offset knows; `undefined` if it knows none yet, so that what
 * the slot holds is all there is to read. The text may hold other things around the JSON.
 */
export function parseOffset(text: string): Lsn | undefined {
  const found = [...new Set(text.match(/\{[^{}]*"lsn(_proc|_commit)?"[^{}]*\}/g))]
  if (found.length !== 1) {
    const what = found.length === 0 ? 'holds no offset' : `holds ${found.length} offsets`
    throw invalid(`${what} of Debezium's Postgres connector; give it as JSON: {"lsn_commit": …}`)
  }
  const offset = found[0]!
  const snapshot = memberOf(offset, 'snapshot')
  const isOver = memberOf(offset, 'last_snapshot_record') === 'true'
  if (snapshot !== undefined && snapshot !== 'false' && !isOver) {
    throw invalid('was stored while the snapshot was under way; leave it out, and take a snapshot')
  }
  const commit = memberOf(offset, 'lsn_commit')
  if (commit === undefined) return undefined
  if (/^\d+$/.test(commit)) return BigInt(commit)
  if (/^[0-9A-Fa-f]+\/[0-9A-Fa-f]+$/.test(commit)) return parseLsn(commit)
  throw invalid(`says lsn_commit is ${commit}, which is no LSN`)
}

/** A member's text: LSNs may lie beyond what a JavaScript number holds. */
function memberOf(json: string, name: string): string | undefined {
  const [, quoted, bare] =
    new RegExp(`"${name}"\\s*:\\s*(?:"([^"]*)"|([^\\s",}]+))`).exec(json) ?? []
  const value = quoted ?? bare
  return value === 'null' ? undefined : value
}

function invalid(what: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', `slot.adopt.offset ${what}.`)
}

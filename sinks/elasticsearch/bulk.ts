/*
 * A bulk request, pure bytes in and out. An operation is one line, or two if it writes a document:
 *
 *   {"index":{"_id":"10","version":23456789,"version_type":"external_gte"}}
 *   {"total":5}
 *   {"delete":{"_id":"11","version":23456790,"version_type":"external_gte"}}
 *
 * `_index` and `routing` stand behind the id where they are not the same for all.
 *
 * `external_gte` makes the server drop what is older than what it holds, and take again what is as
 * old, so a request may be sent twice. The version goes out as bare digits: a double has too few.
 */
import { ByteWriter } from '../../src/core/byte-writer.ts'
import type { Document } from '../../src/core/document.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { Refusal } from '../../src/core/sink.ts'
import { type Complaint, cut, faultOfComplaint } from './faults.ts'

export interface Operation extends Pick<Document, 'id' | 'body' | 'version'> {
  /** If it is not that of the request. */
  readonly index?: string | undefined
  readonly routing?: string | undefined
}

/** Upper bound of the bytes that an operation takes in a request. */
export function sizeOf({ id, body, index, routing }: Operation): number {
  // A character takes at most six bytes, as \u0000; 96 is the line around the id and 19 digits.
  const place =
    (index === undefined ? 0 : index.length) + (routing === undefined ? 0 : routing.length)
  const extra = place === 0 ? 0 : 24 + 6 * place
  return 96 + extra + 6 * id.length + (body === null ? 0 : body.length + 1)
}

/**
 * The operations as the body of a `_bulk` request to an index. It lies in the writer's chunk, and
 * is overwritten when the writer is used again.
 */
export function encodeBulk(
  operations: readonly Operation[],
  writer: ByteWriter = new ByteWriter(),
): Buffer {
  let size = 0
  for (const operation of operations) size += sizeOf(operation)
  writer.at = 0
  writer.begin()
  writer.reserve(size)
  for (const { id, body, version, index, routing } of operations) {
    writer.ascii(body === null ? '{"delete":{"_id":' : '{"index":{"_id":')
    writer.utf8(JSON.stringify(id))
    if (index !== undefined) writer.utf8(`,"_index":${JSON.stringify(index)}`)
    if (routing !== undefined) writer.utf8(`,"routing":${JSON.stringify(routing)}`)
    writer.ascii(`,"version":${version},"version_type":"external_gte"}}\n`)
    if (body !== null) writeLine(writer, body)
  }
  return writer.take()
}

/** A raw line break can only be white space between JSON tokens, so a blank may stand for it. */
function writeLine(writer: ByteWriter, body: Uint8Array): void {
  const start = writer.at
  writer.copy(body)
  writer.byte(lineFeed)
  if (!body.includes(lineFeed)) return
  const line = writer.bytes.subarray(start, writer.at - 1)
  for (let at = line.indexOf(lineFeed); at >= 0; at = line.indexOf(lineFeed, at)) line[at] = 0x20
}

const lineFeed = 0x0a

/** What no server takes, and what would fail a whole request if it were sent. */
export function refuseOperation({
  id,
  version,
}: Pick<Operation, 'id' | 'version'>): Refusal | undefined {
  if (id === '') return { code: 'id_empty', reason: 'The id is empty.' }
  // A UTF-16 unit takes at most three bytes.
  if (id.length > 170 && Buffer.byteLength(id) > 512) {
    const reason = `The id has ${Buffer.byteLength(id)} bytes; Elasticsearch takes 512 at most.`
    return { code: 'id_too_long', reason }
  }
  if (version < 0n || version >= 2n ** 63n) {
    return { code: 'version_out_of_range', reason: `The version ${version} is no 63-bit number.` }
  }
  return undefined
}

/** What became of one operation. `busy`: the server may take it later. */
export type ItemOutcome = 'applied' | 'stale' | 'busy' | Refusal

/** Asks for what `readBulk` reads. An item without its status would lose its place. */
export const bulkFilter =
  'filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason'

/**
 * Reads the answer to a request of `count` operations: one outcome each, in order. Throws what is
 * wrong with the index as a whole, and CONNECTION_LOST on anything but a bulk answer.
 */
export function readBulk(body: Buffer, count: number): readonly ItemOutcome[] {
  if (
    body.length > noErrors.length &&
    body.compare(noErrors, 0, noErrors.length, 0, noErrors.length) === 0
  ) {
    return new Array<ItemOutcome>(count).fill('applied')
  }
  const items = parseItems(body)
  if (items?.length !== count) {
    const start = body.toString('utf8', 0, 80)
    throw new MillraceError('CONNECTION_LOST', `This is no answer to ${count} operations: ${start}`)
  }
  return items.map(classify)
}

// The fast path: 25 kB a thousand items stay unparsed. Every supported server puts `errors` first.
const noErrors = Buffer.from('{"errors":false,')

interface Item {
  readonly status: number
  readonly error?: Complaint
}

function parseItems(body: Buffer): Item[] | undefined {
  try {
    const { items } = JSON.parse(body.toString('utf8')) as { items?: Record<string, Item>[] }
    return items?.map((item) => Object.values(item)[0]!)
  } catch {
    return undefined
  }
}

/** A delete of what is not there is 404 without an error; with one, the index is missing. */
export function classify({ status, error }: Item): ItemOutcome {
  if (status < 300 || (status === 404 && error === undefined)) return 'applied'
  if (status === 409) return 'stale'
  const complaint = error ?? { type: `status_${status}`, reason: '' }
  const fault = faultOfComplaint(complaint)
  if (fault !== undefined) throw fault
  if (status === 429 || status >= 500) return 'busy'
  return { code: complaint.type, reason: cut(complaint.reason) }
}

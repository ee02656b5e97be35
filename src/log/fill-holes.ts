import { readChange } from '../core/envelope.ts'
import { fillRow } from '../core/fill-row.ts'
import { type LogRecord, unchangedHeader } from '../core/record.ts'
import type { Spot } from './key-index.ts'

/**
 * A record whose row lacks columns (unchanged TOAST), completed from the records that have them.
 * What is no longer there to be found stays a hole.
 */
export function fillHoles(
  record: LogRecord,
  holes: ReadonlyMap<string, Spot>,
  recordAt: (spot: Spot) => LogRecord | undefined,
): LogRecord {
  const value = bytesOf(record.value)
  const after = bytesOf(readChange(record).after)
  let text = after.toString()
  const left: string[] = []
  for (const [spot, names] of Map.groupBy(holes.keys(), (name) => holes.get(name)!)) {
    const source = recordAt(spot)
    if (source === undefined) left.push(...names)
    else text = fillRow(text, rowOf(source), names, record.schema)
  }
  const start = after.byteOffset - value.byteOffset
  const parts = [value.subarray(0, start), Buffer.from(text), value.subarray(start + after.length)]
  return { ...record, value: Buffer.concat(parts), headers: headersWith(record, left) }
}

function headersWith({ headers }: LogRecord, left: readonly string[]): LogRecord['headers'] {
  const { [unchangedHeader]: _, ...rest } = headers!
  if (left.length > 0) return { ...rest, [unchangedHeader]: JSON.stringify(left) }
  return Object.keys(rest).length === 0 ? undefined : rest
}

function rowOf(record: LogRecord): string {
  return bytesOf(readChange(record).after).toString()
}

function bytesOf(bytes: Uint8Array | null): Buffer {
  return Buffer.from(bytes!.buffer, bytes!.byteOffset, bytes!.length)
}

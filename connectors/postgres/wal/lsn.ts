/** A log sequence number: a byte position in the write-ahead log. */
export type Lsn = bigint

/** Reads `16/B374D848`. */
export function parseLsn(text: string): Lsn {
  const [high, low] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

/** Below this an LSN is exact as a number. A WAL gets there after 8 PiB. */
const safeHigh = 2 ** 21

/**
 * Reads an LSN from the stream as a number: a bigint costs several allocations, which in a stream
 * of small transactions was a third of all decoding.
 */
export function readLsn(bytes: Buffer, at: number): number {
  const high = bytes.readUInt32BE(at)
  if (high >= safeHigh) throw new Error('the WAL is longer than 8 PiB')
  return high * 2 ** 32 + bytes.readUInt32BE(at + 4)
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase()
}

import type { NewRecord } from '../../../src/core/record.ts'

/** Prepared records of 300 bytes, ten a commit, so that only what the log does is measured. */
export function prepare(topic: string, count: number): NewRecord[] {
  const padding = 'x'.repeat(280)
  return Array.from({ length: count }, (_, i) => ({
    topic,
    key: Buffer.from(`{"id":${i}}`),
    value: Buffer.from(`{"n":${i},"p":"${padding}"}`),
    timestamp: 1_700_000_000_000 + i,
    version: BigInt(1 + Math.floor(i / 10)),
    ordinal: i % 10,
    endsCommit: i % 10 === 9,
  }))
}

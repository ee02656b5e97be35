import { type PostgresOptions, postgresOptions } from '../../../connectors/postgres/options.ts'
import { PostgresSource } from '../../../connectors/postgres/source.ts'
import { MillraceError } from '../../../src/core/errors.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Batch, Position } from '../../../src/core/source.ts'
import type { TestDatabase } from '../../support/servers/use.ts'

export interface Opening {
  readonly options?: Partial<PostgresOptions>
  readonly batchBytes?: number
  readonly chunkPages?: number
  /** Where transactions in progress are kept; without it the server keeps them. */
  readonly directory?: string
}

/** A source for a test's database, with a slot that goes with it. */
export function openSource(
  { url, database }: TestDatabase,
  tables: readonly string[],
  { options, directory, ...sizes }: Opening = {},
): PostgresSource {
  const parsed = postgresOptions.parse({
    ...{ url, tables, 'slot.name': database, ...options },
  })
  const context = { pipeline: 'test', name: 'db', say: () => {}, ...(directory && { directory }) }
  return new PostgresSource(parsed, context, sizes)
}

export interface Reading {
  readonly batches: readonly Batch<NewRecord>[]
  readonly records: readonly NewRecord[]
  readonly position: Position | undefined
}

/** When to stop, asked after each batch. */
export type Until = (reading: Reading) => boolean

/**
 * Reads and acknowledges until told to stop, and closes the source. A slot that a reader before
 * still holds for a moment is waited for.
 */
export async function read(
  source: PostgresSource,
  from: Position | undefined,
  until: Until,
): Promise<Reading> {
  for (;;) {
    try {
      return await readOnce(source, from, until)
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== 'SLOT_IN_USE') throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

async function readOnce(
  source: PostgresSource,
  from: Position | undefined,
  until: Until,
): Promise<Reading> {
  const stop = new AbortController()
  const batches: Batch<NewRecord>[] = []
  const records: NewRecord[] = []
  let position = from
  for await (const batch of source.read(from, stop.signal)) {
    batches.push(batch)
    records.push(...batch.records)
    position = batch.position
    source.ack(position)
    if (until({ batches, records, position })) break
  }
  return { batches, records, position }
}

/** The snapshot is over. */
export const snapshotEnds: Until = ({ batches }) => {
  const { snapshot, incremental } = JSON.parse(batches.at(-1)!.position)
  return snapshot === undefined && incremental === undefined
}

/** A batch ends a commit, and some commit has brought a row whose text contains the marker. */
export function brings(marker: string): Until {
  return ({ batches, records }) =>
    batches.at(-1)!.complete && records.some(({ value }) => textOf(value).includes(marker))
}

/** What a record says, without the times at which it was read. */
export interface Said {
  readonly topic: string
  readonly key: string | null
  readonly op: string | null
  readonly before: string
  readonly after: string
  readonly version: bigint
  readonly ordinal: number
  readonly endsCommit: boolean
  readonly headers: Readonly<Record<string, string>> | undefined
}

export function say(record: NewRecord): Said {
  const { topic, key, value, version, ordinal, endsCommit, headers } = record
  const text = textOf(value)
  const [, before = '', after = ''] = /^\{"before":(.*?),"after":(.*?),"source":/s.exec(text) ?? []
  const [, op = null] = /"op":"(.)","ts_ms"/.exec(text) ?? []
  return {
    ...{ topic, key: key === null ? null : textOf(key), op, before, after },
    ...{ version, ordinal, endsCommit, headers },
  }
}

/** A record without the times at which it was made. */
export function told({ value, key, ...rest }: NewRecord) {
  const text = textOf(value)
  const own = text.startsWith('{"op":"m"') ? /"ts_ms":\d+/ : /(?<="op":"."),"ts_ms":\d+.*/
  return { ...rest, key: textOf(key), value: text.replace(own, '') }
}

export function textOf(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Buffer.from(bytes).toString()
}

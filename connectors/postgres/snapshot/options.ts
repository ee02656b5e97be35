import { z } from 'zod'

const count = z.int().min(1)

/** Options of snapshots; part of the connector's options. */
export const snapshotOptions = {
  'snapshot.mode': z
    .enum(['initial', 'no_data', 'never', 'initial_only', 'always', 'when_needed'])
    .default('initial')
    .describe(
      'Rows that are there already: read once before streaming (`initial`), not at all (`no_data`, `never`), read and then end (`initial_only`), read at every start (`always`), or once and again after a gap (`when_needed`).',
    ),
  'snapshot.max.threads': count
    .max(32)
    .default(2)
    .describe('Connections that a snapshot reads with.'),
  'snapshot.max.rows.per.second': z
    .int()
    .min(0)
    .default(0)
    .describe('Snapshots read no more rows a second than this; 0: as fast as they can.'),
  'incremental.snapshot.chunk.size': count
    .max(1_000_000)
    .default(1024)
    .describe('Rows of one chunk of a snapshot that is taken while streaming goes on.'),
  'signal.data.collection': z
    .string()
    .regex(/^[^.]+\..+$/, 'must be `schema.table`')
    .optional()
    .describe('A table (id, type, data) whose new rows are taken as signals.'),
}

/** What the connector knows about taking snapshots. */
export interface SnapshotSettings {
  readonly mode: 'initial' | 'no_data' | 'initial_only' | 'always' | 'when_needed'
  readonly threads: number
  /** 0: no limit. */
  readonly rowsPerSecond: number
  readonly chunkRows: number
  readonly signalTable: string | undefined
}

export function snapshotSettings(
  options: z.output<z.ZodObject<typeof snapshotOptions>>,
): SnapshotSettings {
  const mode = options['snapshot.mode']
  return {
    mode: mode === 'never' ? 'no_data' : mode,
    threads: options['snapshot.max.threads'],
    rowsPerSecond: options['snapshot.max.rows.per.second'],
    chunkRows: options['incremental.snapshot.chunk.size'],
    signalTable: options['signal.data.collection'],
  }
}

import { z } from 'zod'

/** What a snapshot may be asked to do: by a row in the signal table, or by the command line. */
export type SnapshotCommand =
  | { readonly do: 'execute'; readonly requests: readonly SnapshotRequest[] }
  | { readonly do: 'stop'; readonly tables: readonly string[] | undefined }
  | { readonly do: 'pause' }
  | { readonly do: 'resume' }

export interface SnapshotRequest {
  /** A regular expression that must match all of `schema.table`. */
  readonly table: string
  /** A filter in SQL. */
  readonly where?: string | undefined
}

const condition = z.object({ 'data-collection': z.string(), filter: z.string() })

const execute = z.object({
  type: z.string().default('incremental'),
  'data-collections': z.array(z.string()).min(1),
  'additional-conditions': z.array(condition).default([]),
})

const stop = z.object({ 'data-collections': z.array(z.string()).optional() })

/**
 * Reads a row of the signal table, Debezium's `type` and `data`. `undefined`: nothing for us.
 * Throws with a sentence where the signal is not understood.
 */
export function parseSignal(type: unknown, data: unknown): SnapshotCommand | undefined {
  switch (type) {
    case 'execute-snapshot':
      return parseExecute(parseData(data))
    case 'stop-snapshot': {
      const { 'data-collections': tables } = stop.parse(parseData(data))
      return { do: 'stop', tables }
    }
    case 'pause-snapshot':
      return { do: 'pause' }
    case 'resume-snapshot':
      return { do: 'resume' }
    default:
      return undefined
  }
}

function parseExecute(data: unknown): SnapshotCommand {
  const { type, ...rest } = execute.parse(data)
  // A blocking snapshot differs for its reader only by the pause of the stream.
  if (!/^(incremental|blocking)$/i.test(type)) throw new Error(`no snapshot is of type ${type}`)
  const conditions = rest['additional-conditions']
  const requests = rest['data-collections'].map((table) => {
    const found = conditions.find((one) => one['data-collection'] === table)
    return { table: table.replaceAll('"', ''), ...(found && { where: found.filter }) }
  })
  return { do: 'execute', requests }
}

function parseData(data: unknown): unknown {
  return typeof data === 'string' && data.trim() !== '' ? JSON.parse(data) : {}
}

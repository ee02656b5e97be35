import type { SnapshotCommand } from '../../../connectors/postgres/snapshot/signal.ts'
import type { Connector } from '../../core/plugin.ts'
import { CommandFailure } from '../exit.ts'
import type { Parts } from './pipeline.ts'

/** What `millrace snapshot` asks of the process that runs. */
export interface SnapshotQuestion {
  readonly connector: string
  readonly do: SnapshotCommand['do'] | 'status'
  /** Empty: all, where that makes sense. */
  readonly tables: readonly string[]
  readonly where?: string | undefined
}

/** A connector that reads tables again while it streams. */
interface TakesSnapshots {
  snapshot(command: SnapshotCommand): string
}

/** Passes the command on, and gives what the connector says to it. */
export function askForSnapshot({ connectors }: Parts, question: SnapshotQuestion): string {
  const part = connectors.find(({ name }) => name === question.connector)
  if (part === undefined) {
    const names = connectors.map(({ name }) => name).join(', ')
    throw new CommandFailure(`No connector is called ${question.connector}; there is ${names}.`)
  }
  const { connector } = part
  if (!takesSnapshots(connector)) {
    throw new CommandFailure(`The connector ${question.connector} takes no snapshots on demand.`)
  }
  if (question.do === 'status') {
    return String(connector.status().detail.snapshot ?? 'no snapshot runs')
  }
  return connector.snapshot(commandOf(question))
}

function takesSnapshots(connector: Connector): connector is Connector & TakesSnapshots {
  return 'snapshot' in connector
}

function commandOf({ do: what, tables, where }: SnapshotQuestion): SnapshotCommand {
  switch (what) {
    case 'execute':
      return { do: 'execute', requests: tables.map((table) => ({ table, where })) }
    case 'stop':
      return { do: 'stop', tables: tables.length === 0 ? undefined : tables }
    case 'pause':
    case 'resume':
      return { do: what }
    case 'status':
      throw new Error('status is no command')
  }
}

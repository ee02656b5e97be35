import { z } from 'zod'
import { tlsShape } from '../../../src/core/postgres-tls.ts'

/** Options of the connection, the slot and the publication; part of the connector's options. */
export const slotOptions = {
  ...tlsShape,
  'publication.autocreate.mode': z
    .enum(['filtered', 'all_tables', 'disabled', 'no_tables'])
    .default('filtered')
    .describe(
      'Who makes the publication: we, with the tables that are read or with all; disabled: only check it; no_tables: make it empty.',
    ),
  'slot.failover': z
    .boolean()
    .default(false)
    .describe('Whether the slot is kept on standbys too; PostgreSQL 17 and later.'),
  'slot.drop.on.stop': z
    .boolean()
    .default(false)
    .describe('Drops the slot when the pipeline is stopped: the next start needs a new snapshot.'),
  'slot.adopt': z
    .boolean()
    .default(false)
    .describe('Goes on with a slot that is there already, such as Debezium’s, without a snapshot.'),
  'slot.adopt.offset': z
    .string()
    .min(1)
    .optional()
    .describe('Debezium’s stored offset: its JSON, or a file that holds it.'),
  'slot.adopt.system': z
    .string()
    .regex(/^\d+$/, 'must be the system identifier of a server, in digits')
    .optional()
    .describe(
      'Identifier of the server that the one before has become by pg_upgrade: its slot is gone on with.',
    ),
  'heartbeat.interval.ms': z
    .int()
    .min(0)
    .default(0)
    .describe('How often a heartbeat is written to the WAL and to its topic; 0: never.'),
  'heartbeat.action.query': z
    .string()
    .min(1)
    .optional()
    .describe('SQL to run with each heartbeat, such as an UPDATE of a table of your own.'),
  'topic.heartbeat.prefix': z
    .string()
    .regex(/^[A-Za-z0-9._-]+$/, 'must consist of letters, digits, `.`, `_` and `-`')
    .default('__debezium-heartbeat')
    .describe('Heartbeats go to the topic `<this>.<topic.prefix>`.'),
} as const

const shape = z.object(slotOptions)
type SlotOptions = Readonly<z.output<typeof shape>>

/** How the slot and the publication come and go. */
export interface SlotLife {
  readonly autocreate: 'filtered' | 'all_tables' | 'disabled' | 'no_tables'
  readonly failover: boolean
  readonly dropOnStop: boolean
  readonly adopt: boolean
  readonly adoptOffset: string | undefined
  readonly adoptSystem: string | undefined
  readonly heartbeat: HeartbeatOptions | undefined
}

export interface HeartbeatOptions {
  readonly intervalMs: number
  readonly query: string | undefined
  readonly topicPrefix: string
}

export function slotLifeOf(options: SlotOptions): SlotLife {
  const intervalMs = options['heartbeat.interval.ms']
  return {
    autocreate: options['publication.autocreate.mode'],
    failover: options['slot.failover'],
    dropOnStop: options['slot.drop.on.stop'],
    adopt: options['slot.adopt'],
    adoptOffset: options['slot.adopt.offset'],
    adoptSystem: options['slot.adopt.system'],
    heartbeat:
      intervalMs === 0
        ? undefined
        : {
            intervalMs,
            query: options['heartbeat.action.query'],
            topicPrefix: options['topic.heartbeat.prefix'],
          },
  }
}

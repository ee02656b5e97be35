import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../../src/core/errors.ts'
import type { LogRecord, NewRecord } from '../../../src/core/record.ts'
import type { Config } from '../../../src/launcher/config/config.ts'
import { openParts } from '../../../src/launcher/run/parts.ts'
import { type Parts, run } from '../../../src/launcher/run/pipeline.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import type { Routes } from '../../../src/streams/routes.ts'
import {
  defineTopology,
  type StreamScope,
  StreamTopology,
} from '../../../src/streams/stream-topology.ts'
import { Topology } from '../../../src/streams/topology.ts'

interface Order {
  readonly id: number
  readonly customer: number
}

interface Click {
  readonly page: string
}

interface Shop {
  readonly wanted?: (row: Click) => boolean
  readonly tasks?: number
  readonly routes?: Routes
}

const any = (_click: Click) => true

/** Counts the clicks on each page, and gives orders their customer's name. */
export function shopTopology(prefix: string, { wanted = any, tasks = 1, routes = {} }: Shop = {}) {
  const build = ({ stream, table }: StreamScope) => {
    stream<Click, number>(`${prefix}.clicks`)
      .filter(wanted)
      .groupBy(({ page }) => page)
      .count({ store: 'counts' })
      .toStream()
      .to(`${prefix}.counts`)
    table<Order, number>(`${prefix}.orders`)
      .join(table<{ name: string }, number>(`${prefix}.customers`), {
        on: ({ customer }) => customer,
        select: ({ id }, { name }) => ({ id, name }),
        store: 'named',
      })
      .toStream()
      .to(`${prefix}.named`, { key: 'id' })
  }
  return new StreamTopology('shop', defineTopology(build, { partitions: tasks, routes }))
}

/** A pipeline of one topology and nothing else. */
export function openShop(log: KafkaLog, prefix: string, topology = shopTopology(prefix)): Parts {
  const config = {
    ...{ name: prefix, log: { type: 'kafka', path: '', kafka: {} } },
    ...{ connectors: [], views: [], sinks: [], topics: undefined },
  } as unknown as Config
  const none = new Topology(prefix, {})
  return openParts(config, { log, topology: none, streams: [topology], say: () => {} })
}

export interface RunningShop {
  readonly parts: Parts
  stop(): Promise<void>
}

/** Runs it in this process; `stop` ends it as a signal would, and closes the log. */
export function runShop(log: KafkaLog, prefix: string, topology?: StreamTopology): RunningShop {
  const stopped = new AbortController()
  const parts = openShop(log, prefix, topology)
  const running = run(parts, stopped.signal)
  return {
    parts,
    stop: async () => {
      stopped.abort()
      await running
      await log.close()
    },
  }
}

const rows = { clicks: 'page', customers: 'name', orders: 'customer' } as const

/** The n-th record of a topic of the shop's, as a commit of its own. */
export function shopRecord(
  prefix: string,
  kind: keyof typeof rows,
  [number, id, value]: readonly [number: number, id: number, value: string | number],
): NewRecord {
  const after = { id, [rows[kind]]: value }
  const envelope = { before: null, after, source: {}, op: 'c' }
  return {
    topic: `${prefix}.${kind}`,
    key: Buffer.from(JSON.stringify({ id })),
    value: Buffer.from(JSON.stringify(envelope)),
    timestamp: 1_700_000_000_000 + number,
    version: BigInt(number),
    ordinal: 0,
    endsCommit: true,
  }
}

/** `key value` of records that the shop wrote. */
export function told(records: readonly LogRecord[]): string[] {
  return records.map(({ key, value }) => {
    const after = value === null ? null : JSON.parse(Buffer.from(value).toString()).after
    return `${Buffer.from(key!)} ${JSON.stringify(after)}`
  })
}

/** The first records of a topic that may not be there yet, of all its partitions. */
export async function takeFrom(log: KafkaLog, topic: string, count: number): Promise<LogRecord[]> {
  while (!(await log.topics()).includes(topic)) await sleep(50)
  const records: LogRecord[] = []
  const stop = new AbortController()
  try {
    for await (const record of log.tap(topic, 'beginning', stop.signal)) {
      if (records.push(record) >= count) break
    }
  } catch (error) {
    // A topic that was just made may have no leader yet.
    if (!(error instanceof MillraceError) || error.kind !== 'transient') throw error
    return takeFrom(log, topic, count)
  } finally {
    stop.abort()
  }
  return records
}

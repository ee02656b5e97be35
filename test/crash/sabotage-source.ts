import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresSource } from '../../connectors/postgres/source.ts'
import type { Connector } from '../../src/core/plugin.ts'
import {
  type NewRecord,
  newKeyHeader,
  sweepHeader,
  unchangedHeader,
} from '../../src/core/record.ts'
import type { Batch } from '../../src/core/source.ts'

/** Longer than it takes until the next acknowledgement goes out. */
const heldMs = 300

export function acknowledgeEarly(inner: Connector): Connector {
  return {
    ...forward(inner),
    ack: () => {},
    async *read(from, signal) {
      for await (const batch of inner.read(from, signal)) {
        inner.ack(batch.position)
        if (inner.status().phase === 'streaming') await sleep(heldMs)
        yield batch
      }
    },
  }
}

/** What a sabotage makes of a connector's records, batch by batch. */
type Spoiling = () => (batch: Batch<NewRecord>) => readonly NewRecord[]

/** Each concerns one kind of round. */
export const spoilings = {
  /** Rows that vanished stay. */
  'forget-sweep': () => (batch) =>
    batch.records.filter(({ headers }) => headers?.[sweepHeader] === undefined),
  /** Rows of a chunk never come, and are swept. */
  'skip-chunk': () => {
    let chunks = 0
    return ({ records }) => {
      const isChunk = records.some((record) => says(record, '"snapshot":"incremental"'))
      return isChunk && ++chunks % 3 === 0 ? records.filter(isSweep) : records
    }
  },
  /** A row that moved is at its old place, too. */
  'keep-old-key': () => {
    const moved = new Set<string>()
    return ({ records }) =>
      records.filter((record) => {
        const { headers, value, version, ordinal } = record
        const place = `${version}/${ordinal}`
        if (headers?.[newKeyHeader] !== undefined) moved.add(place)
        else if (value !== null || !moved.delete(place)) return true
        return false
      })
  },
  /** A row that lacks a column passes for a whole one. */
  'forget-hole': () => (batch) =>
    batch.records.map((record) => {
      const { [unchangedHeader]: hole, ...headers } = record.headers ?? {}
      return hole === undefined ? record : { ...record, headers }
    }),
  /** Changes of rows that have a new column get lost now and then. */
  'lose-altered': () => {
    let count = 0
    return (batch) =>
      batch.records.filter(
        (record) => record.endsCommit || !says(record, '"extra_') || ++count % 50 !== 0,
      )
  },
  /** A part of a commit that goes out in several gets lost. */
  'lose-part': () => {
    let parts = 0
    return ({ records, complete }) => (complete || ++parts % 3 !== 0 ? records : [])
  },
} as const satisfies Record<string, Spoiling>

export function spoil(inner: Connector, sabotage: keyof typeof spoilings): Connector {
  const change: (batch: Batch<NewRecord>) => readonly NewRecord[] = spoilings[sabotage]()
  return {
    ...forward(inner),
    async *read(from, signal) {
      for await (const batch of inner.read(from, signal)) {
        yield { ...batch, records: change(batch) }
      }
    },
  }
}

function forward(inner: Connector): Connector {
  const { snapshot } = inner as PostgresSource
  return {
    ...{ name: inner.name, topics: inner.topics },
    status: () => inner.status(),
    claim: async (signal) => inner.claim?.(signal),
    knows: (position) => inner.knows(position),
    ack: (position) => inner.ack(position),
    read: (from, signal) => inner.read(from, signal),
    ...(snapshot && { snapshot: snapshot.bind(inner) }),
  }
}

function isSweep({ headers }: NewRecord): boolean {
  return headers?.[sweepHeader] !== undefined
}

function says({ value }: NewRecord, text: string): boolean {
  return value !== null && Buffer.from(value).includes(text)
}

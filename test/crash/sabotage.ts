import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { keyId } from '../../src/core/document-id.ts'
import { readEnvelope } from '../../src/core/envelope.ts'
import type { Connector } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Outcome, Sink } from '../../src/core/sink.ts'
import type { Parts } from '../../src/launcher/pipeline.ts'

/*
 * Ways to break the program on purpose, to see that the campaign finds out:
 *
 *   ack-early    what was read is acknowledged before it is written
 * drop-batch the SQLite sink skips a batch now and then, and commits its checkpoint all the same
 *   stale-write  a document falls back to an older state, behind the SQLite sink's back
 *   ghost        a deleted document comes back, behind the SQLite sink's back
 */
export const sabotages = ['ack-early', 'drop-batch', 'stale-write', 'ghost'] as const

export type Sabotage = (typeof sabotages)[number]

export function isSabotage(text: string): text is Sabotage {
  return (sabotages as readonly string[]).includes(text)
}

/** Breaks the parts; `sqlite` is the file of the sink `local`. */
export function breakParts(sabotage: Sabotage, sqlite: string): (parts: Parts) => Parts {
  if (sabotage === 'ack-early') return breakConnectors
  if (sabotage === 'drop-batch') return (parts) => breakSink(parts, dropBatches)
  const deletes = sabotage === 'ghost'
  return (parts) => breakSink(parts, (sink) => bringBack(sink, sqlite, deletes))
}

/** Longer than it takes until the next acknowledgement goes out. */
const heldMs = 300

function breakConnectors(parts: Parts): Parts {
  const connectors = parts.connectors.map((part) => ({
    ...part,
    connector: acknowledgeEarly(part.connector),
  }))
  return { ...parts, connectors }
}

function acknowledgeEarly(inner: Connector): Connector {
  return {
    name: inner.name,
    topics: inner.topics,
    status: () => inner.status(),
    knows: (position) => inner.knows(position),
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

function breakSink(
  parts: Parts,
  breaks: (sink: Sink<LogRecord>) => Partial<Sink<LogRecord>>,
): Parts {
  const sinks = parts.sinks.map((part) => {
    if (part.name !== 'local') return part
    return {
      ...part,
      open: (partition: number): Sink<LogRecord> => {
        const inner = part.open(partition)
        return {
          resume: (source) => inner.resume(source),
          clear: (source) => inner.clear(source),
          write: (batch) => inner.write(batch),
          commit: (checkpoint) => inner.commit(checkpoint),
          close: () => inner.close(),
          ...breaks(inner),
        }
      },
    }
  })
  return { ...parts, sinks }
}

function dropBatches(inner: Sink<LogRecord>): Partial<Sink<LogRecord>> {
  let batches = 0
  return {
    async write(batch) {
      if (++batches % 5 !== 0) return inner.write(batch)
      return new Array<Outcome>(batch.records.length).fill('applied')
    },
  }
}

type Row = Readonly<Record<string, SQLInputValue>>

/** How long a document is what it should be before it is not: long enough to be seen. */
const backMs = 700
const mostHeld = 20

/** Keeps rows as they are before a change, and puts them back some time after it. */
function bringBack(
  inner: Sink<LogRecord>,
  path: string,
  deletes: boolean,
): Partial<Sink<LogRecord>> {
  const held: { readonly row: Row; readonly at: number }[] = []
  return {
    async write(batch) {
      const ids = batch.records.filter((record) => isDelete(record) === deletes).map(idOf)
      open(path, (database) => {
        for (const id of ids.slice(0, 5)) {
          const statement = database.prepare('SELECT * FROM orders WHERE id = ?')
          statement.setReadBigInts(true)
          const row = statement.get(id) as Row | undefined
          if (row !== undefined && held.length < mostHeld) held.push({ row, at: Date.now() })
        }
      })
      return inner.write(batch)
    },
    async commit(checkpoint) {
      await inner.commit(checkpoint)
      while (held[0] !== undefined && Date.now() - held[0].at > backMs) {
        const { row } = held.shift()!
        open(path, (database) => (deletes ? insert(database, row) : replace(database, row)))
      }
    },
  }
}

function insert(database: DatabaseSync, row: Row): void {
  const names = ['id', 'doc', 'version', 'ordinal', 'key', 'partition']
  const marks = names.map(() => '?').join(', ')
  database
    .prepare(`INSERT OR IGNORE INTO orders (${names.join(', ')}) VALUES (${marks})`)
    .run(...names.map((name) => row[name]!))
}

function replace(database: DatabaseSync, { id, doc, version }: Row): void {
  database
    .prepare('UPDATE orders SET doc = ?, version = ? WHERE id = ? AND version > ?')
    .run(doc!, version!, id!, version!)
}

function open(path: string, work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path, { timeout: 1_000 })
  try {
    work(database)
  } finally {
    database.close()
  }
}

function isDelete({ value }: LogRecord): boolean {
  return value === null || readEnvelope(value).op === 'd'
}

function idOf({ key }: LogRecord): string {
  return key === null ? '' : keyId(key)
}

import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { keyId } from '../../src/core/document-id.ts'
import { readEnvelope } from '../../src/core/envelope.ts'
import type { Connector } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Outcome, Sink } from '../../src/core/sink.ts'
import type { Parts } from '../../src/launcher/run/pipeline.ts'
import type { Phase } from './plan.ts'
import { acknowledgeEarly, spoil, spoilings } from './sabotage-source.ts'

/*
 * Ways to break the program on purpose, to see that the campaign finds out, and the kinds of rounds
 * in which it shows:
 *
 *   ack-early     what was read is acknowledged before it is written
 *   drop-batch    the SQLite sink skips a batch now and then, but commits its checkpoint
 *   stale-write   a document falls back to an older state, behind the SQLite sink's back
 *   ghost         a deleted document comes back, behind the SQLite sink's back
 *
 * and those of sabotage-source.ts, which spoil the records of the connectors.
 */
export const sabotageKinds = {
  'ack-early': ['stream', 'large'],
  'drop-batch': ['stream', 'large'],
  'stale-write': ['stream', 'restart'],
  ghost: ['stream', 'restart'],
  'forget-sweep': ['vanish'],
  'skip-chunk': ['incremental'],
  'keep-old-key': ['keys'],
  'forget-hole': ['toast'],
  'lose-altered': ['schema'],
  'lose-part': ['large'],
} as const satisfies Record<string, readonly Phase[]>

export type Sabotage = keyof typeof sabotageKinds

export const sabotages = Object.keys(sabotageKinds) as readonly Sabotage[]

export function isSabotage(text: string): text is Sabotage {
  return (sabotages as readonly string[]).includes(text)
}

/** Breaks the parts; `sqlite` is the file of the sink `local`. */
export function breakParts(sabotage: Sabotage, sqlite: string): (parts: Parts) => Parts {
  if (isSpoiling(sabotage)) {
    return (parts) => breakConnectors(parts, (connector) => spoil(connector, sabotage))
  }
  if (sabotage === 'ack-early') return (parts) => breakConnectors(parts, acknowledgeEarly)
  if (sabotage === 'drop-batch') return (parts) => breakSink(parts, dropBatches)
  const deletes = sabotage === 'ghost'
  return (parts) => breakSink(parts, (sink) => bringBack(sink, sqlite, deletes))
}

function breakConnectors(parts: Parts, breaks: (connector: Connector) => Connector): Parts {
  const connectors = parts.connectors.map((part) => ({
    ...part,
    connector: breaks(part.connector),
  }))
  return { ...parts, connectors }
}

function isSpoiling(sabotage: Sabotage): sabotage is keyof typeof spoilings {
  return sabotage in spoilings
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

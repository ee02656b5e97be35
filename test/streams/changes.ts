import { readEnvelope } from '../../src/core/envelope.ts'
import type { Json, Row } from '../../src/core/json.ts'
import type { LogRecord, NewRecord } from '../../src/core/record.ts'
import { stringifyRow } from '../../src/core/row.ts'
import type { Schema } from '../../src/core/schema.ts'
import type { Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'

/** A change of one row, as a test writes it. */
export interface TestChange {
  readonly topic: string
  readonly op: 'c' | 'u' | 'd' | 'r' | 't'
  readonly key: Row | null
  readonly row?: Row
  readonly headers?: Readonly<Record<string, string>>
  readonly schema?: Schema
}

export function insert(topic: string, row: Row, key: Row = { id: row.id! }): TestChange {
  return { topic, op: 'c', key, row }
}

export function update(topic: string, row: Row, key: Row = { id: row.id! }): TestChange {
  return { topic, op: 'u', key, row }
}

export function remove(topic: string, id: Json): TestChange {
  return { topic, op: 'd', key: { id } }
}

export function truncate(topic: string): TestChange {
  return { topic, op: 't', key: null }
}

/** As a source writes it: the old row's delete, then the new row, each naming the other's key. */
export function changeKey(topic: string, from: Json, row: Row): TestChange[] {
  const key = { id: row.id! }
  return [
    { ...remove(topic, from), headers: { '__debezium.newkey': stringifyRow(key) } },
    { ...insert(topic, row), headers: { '__debezium.oldkey': stringifyRow({ id: from }) } },
  ]
}

/** A log in a test: gives records their places, and keeps them to be read again. */
export class TestLog {
  readonly records: LogRecord[] = []
  readonly #offsets = new Map<string, bigint>()
  #sequence = 0n
  #version = 1_000n

  get version(): bigint {
    return this.#version
  }

  /** Appends the changes as one commit; a delete is followed by its tombstone. */
  commit(...changes: readonly TestChange[]): void {
    this.#sequence++
    this.#version += 10n
    let ordinal = 0
    for (const change of changes) {
      this.#append(change, envelope(change), ordinal++)
      if (change.op === 'd') this.#append(change, null, ordinal++)
    }
  }

  /** Appends a record that something else wrote, as a commit of its own. */
  append(record: NewRecord): void {
    this.#sequence++
    const offset = this.#offsets.get(record.topic) ?? 0n
    this.#offsets.set(record.topic, offset + 1n)
    this.records.push({ ...record, partition: 0, offset, sequence: this.#sequence })
  }

  /** The records from the `from`-th on, in batches that end before each index in `cuts`. */
  *batches(from: number, cuts: ReadonlySet<number> = new Set()): Generator<Batch<LogRecord>> {
    let start = from
    for (let i = from + 1; i <= this.records.length; i++) {
      if (i < this.records.length && !cuts.has(i)) continue
      const complete = this.records[i]?.sequence !== this.records[i - 1]!.sequence
      yield { records: this.records.slice(start, i), position: String(i) as Position, complete }
      start = i
    }
  }

  #append({ topic, key, headers, schema }: TestChange, value: string | null, ordinal: number) {
    const offset = this.#offsets.get(topic) ?? 0n
    this.#offsets.set(topic, offset + 1n)
    this.records.push({
      topic,
      key: key && Buffer.from(stringifyRow(key)),
      value: value === null ? null : Buffer.from(value),
      timestamp: 1_700_000_000_000 + Number(this.#sequence),
      version: this.#version,
      ordinal,
      endsCommit: false,
      partition: 0,
      offset,
      sequence: this.#sequence,
      ...(headers && { headers }),
      ...(schema && { schema }),
    })
  }
}

/** Reads on from where the task is, as the pump does. */
export async function run(
  task: Sink<LogRecord>,
  log: TestLog,
  cuts?: ReadonlySet<number>,
): Promise<void> {
  const from = await task.resume('test')
  for (const batch of log.batches(Number(from ?? 0), cuts)) {
    await task.write(batch)
    await task.commit({ source: 'test', position: batch.position, timestamp: 0 })
  }
}

/** What a reader of the topics makes of them: topic → key → document. */
export function fold(records: Iterable<NewRecord>): Map<string, Map<string, unknown>> {
  const topics = new Map<string, Map<string, unknown>>()
  for (const { topic, key, value } of records) {
    const documents = topics.get(topic) ?? new Map<string, unknown>()
    topics.set(topic, documents)
    const after = value && readEnvelope(value).after
    if (after === null) documents.delete(String(key))
    else documents.set(String(key), JSON.parse(String(Buffer.from(after))))
  }
  return topics
}

function envelope({ op, row }: TestChange): string {
  return stringifyRow({ before: null, after: row ?? null, source: {}, op, ts_ms: 1 })
}

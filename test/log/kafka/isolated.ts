import type { Assignment, Log, Task } from '../../../src/core/log.ts'
import type { LogRecord, NewRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Batch, Source } from '../../../src/core/source.ts'

/**
 * The same log for a test that shares the cluster with others: its topics, writers and groups have
 * a prefix that the test does not see.
 */
export function isolated(log: Log, prefix: string): Log {
  const inside = (name: string) => `${prefix}.${name}`
  return {
    writer: (name) => renamed(log.writer(inside(name)), inside),
    async *assignments(topics, group, signal) {
      for await (const found of log.assignments(topics.map(inside), inside(group), signal)) {
        yield assignment(found, prefix)
      }
    },
    deadLetters: (sink) => (letters) =>
      log.deadLetters(sink)(
        letters.map(({ record, ...letter }) => ({
          ...letter,
          record: { ...record, topic: inside(record.topic) },
        })),
      ),
    describe: () => log.describe(),
    close: () => log.close(),
  }
}

function assignment(found: Assignment, prefix: string): Assignment {
  const inside = (name: string) => `${prefix}.${name}`
  return {
    ...found,
    source: readingAs(found.source, prefix),
    task(name): Task {
      const task = found.task(inside(name))
      return { ...renamed(task, inside), store: task.store }
    },
  }
}

function renamed(sink: Sink<NewRecord>, inside: (name: string) => string): Sink<NewRecord> {
  return {
    resume: (source) => sink.resume(source),
    clear: (source) => sink.clear(source),
    write: ({ records, ...batch }) =>
      sink.write({
        ...batch,
        records: records.map((record) => ({ ...record, topic: inside(record.topic) })),
      }),
    commit: (checkpoint) => sink.commit(checkpoint),
    close: () => sink.close(),
  }
}

function readingAs(source: Source<LogRecord>, prefix: string): Source<LogRecord> {
  async function* outside(batches: AsyncIterable<Batch<LogRecord>>) {
    for await (const { records, ...batch } of batches) {
      const named = records.map((record) => ({
        ...record,
        topic: record.topic.slice(prefix.length + 1),
      }))
      yield { ...batch, records: named }
    }
  }
  return {
    name: source.name,
    knows: (position) => source.knows(position),
    read: (from, signal) => outside(source.read(from, signal)),
    ack: (position) => source.ack(position),
  }
}

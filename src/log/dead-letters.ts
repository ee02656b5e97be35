import type { DeadLetter, DeadLetters } from '../core/log.ts'
import type { NewRecord } from '../core/record.ts'
import type { EmbeddedLog } from './embedded.ts'

const none = Buffer.alloc(0)

/**
 * Appends refused records to `<topic>.dlq` with their original bytes. A letter is known by sink,
 * topic, partition and offset; one that is there already is not kept twice, however often a crash or
 * a refill makes the sink refuse it again. The headers bear Kafka Connect's names.
 */
export function keepDeadLetters(log: EmbeddedLog, sink: string): DeadLetters {
  const writer = `${sink}.dlq`
  let version = BigInt(Date.now()) << 20n
  return async (letters) => {
    const { letters: kept } = log.environment
    const fresh = letters.filter((letter) => kept.get(idOf(sink, letter)) === undefined)
    if (fresh.length === 0) return
    version++
    const records = fresh.map((letter, i) => toRecord(sink, letter, { version, ordinal: i }))
    await log.commit(writer, (append) => {
      append([records], true)
      for (const letter of fresh) kept.put(idOf(sink, letter), none)
    })
  }
}

function idOf(sink: string, { record: { topic, partition, offset } }: DeadLetter): string {
  return JSON.stringify([sink, topic, partition, String(offset)])
}

function toRecord(
  sink: string,
  { record, code, reason }: DeadLetter,
  { version, ordinal }: { readonly version: bigint; readonly ordinal: number },
): NewRecord {
  return {
    topic: `${record.topic}.dlq`,
    key: record.key,
    value: record.value,
    timestamp: record.timestamp,
    version,
    ordinal,
    endsCommit: true,
    cause: record.cause ?? record.sequence,
    schema: record.schema,
    headers: {
      ...record.headers,
      '__connect.errors.topic': record.topic,
      '__connect.errors.partition': String(record.partition),
      '__connect.errors.offset': String(record.offset),
      '__connect.errors.connector.name': sink,
      '__connect.errors.stage': 'TASK_PUT',
      '__connect.errors.exception.class.name': code,
      '__connect.errors.exception.message': reason,
      'millrace.version': String(record.version),
    },
  }
}

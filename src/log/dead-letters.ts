import type { DeadLetter } from '../core/log.ts'
import type { NewRecord } from '../core/record.ts'
import type { EmbeddedLog } from './embedded.ts'
import { json } from './environment.ts'
import {
  headersOf,
  type Letter,
  type LetterState,
  letterKey,
  lettersOf,
  readLetter,
  type StoredLetter,
} from './letter.ts'

/**
 * Refused records, appended to `<topic>.dlq` with their original bytes, and what became of them.
 *
 * A letter is known by sink, topic, partition and offset: one that is there already is not kept
 * twice, however often a crash or a refill makes the sink refuse it; its attempts are counted.
 */
export class DeadLetterStore {
  readonly #log: EmbeddedLog
  readonly #open = new Map<string, number>()
  #version = BigInt(Date.now()) << 20n

  constructor(log: EmbeddedLog) {
    this.#log = log
    for (const { sink, state } of lettersOf(log)) if (state === 'open') this.#count(sink, 1)
  }

  /** How many letters of a sink wait for somebody. */
  open(sink: string): number {
    return this.#open.get(sink) ?? 0
  }

  /** Keeps what a sink refused, durably. */
  async keep(sink: string, refused: readonly DeadLetter[]): Promise<void> {
    const known = refused.map((each) => this.#find(sink, each))
    const letters = refused.map((each, i) => refuse(sink, each, known[i]))
    const fresh = refused.flatMap((each, i) => (known[i] ? [] : [{ ...each, letter: letters[i]! }]))
    this.#version++
    const records = fresh.map((each, i) => toRecord(each, { version: this.#version, ordinal: i }))
    await this.#log.commit(`${sink}.dlq`, (append) => {
      const at = records.length > 0 ? append([records], true) : 0
      for (const [i, letter] of letters.entries()) this.#put(known[i] ? letter : { ...letter, at })
    })
    for (const [i, { state }] of letters.entries()) {
      if (state === 'open' && known[i]?.state !== 'open') this.#count(sink, 1)
    }
  }

  /** Notes what became of a letter, durably. */
  async settle(letter: Letter, state: LetterState, note: string | null): Promise<void> {
    const now = this.get(letter) ?? letter
    await this.#log.commit(`${letter.sink}.dlq`, () => this.#put({ ...now, state, note }))
    if (now.state === 'open' && state !== 'open') this.#count(letter.sink, -1)
    if (now.state !== 'open' && state === 'open') this.#count(letter.sink, 1)
  }

  /** A letter as it is by now. */
  get(place: Parameters<typeof letterKey>[0]): Letter | undefined {
    const key = letterKey(place)
    const value = this.#log.environment.letters.get(key)
    return value && readLetter(key, value)
  }

  #find(sink: string, { record: { topic, partition, offset } }: DeadLetter): Letter | undefined {
    return this.get({ sink, topic, partition, offset })
  }

  #put({ id: _, sink, topic, partition, offset, ...stored }: Letter): void {
    this.#log.environment.letters.put(letterKey({ sink, topic, partition, offset }), json(stored))
  }

  #count(sink: string, by: number): void {
    this.#open.set(sink, this.open(sink) + by)
  }
}

/** The letter after one more refusal. One that was written has come to be refused: it is open. */
export function refuse(
  sink: string,
  { record, code, reason }: DeadLetter,
  known?: StoredLetter,
): Letter {
  const { topic, partition, offset, sequence, version, key } = record
  const now = Date.now()
  const reopened = known?.state === 'written'
  return {
    id: '',
    sink,
    topic,
    partition,
    offset,
    at: known?.at ?? 0,
    sequence: Number(sequence),
    version: String(version),
    key: key === null ? null : Buffer.from(key).toString(),
    stage: stageOf(sink, code),
    code,
    reason,
    attempts: (known?.attempts ?? 0) + 1,
    firstAt: known?.firstAt ?? now,
    lastAt: now,
    state: reopened ? 'open' : (known?.state ?? 'open'),
    note: reopened ? null : (known?.note ?? null),
  }
}

/** Where it went wrong, in Kafka Connect's words. */
export function stageOf(sink: string, code: string): string {
  if (code === 'no_key') return 'KEY_CONVERTER'
  if (code === 'not_a_change') return 'VALUE_CONVERTER'
  return sink.endsWith('.views') ? 'TRANSFORMATION' : 'TASK_PUT'
}

function toRecord(
  { record, letter }: DeadLetter & { readonly letter: Letter },
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
    headers: { ...record.headers, ...headersOf(letter) },
  }
}

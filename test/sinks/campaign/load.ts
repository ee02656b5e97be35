import { setTimeout as sleep } from 'node:timers/promises'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import type { EmbeddedLog } from '../../../src/log/embedded.ts'

const keys = 200
export const topic = 'orders'

/** A document that the target refuses, however often it comes. */
export interface Odd {
  readonly id: string
  /** JSON. */
  readonly row: string
}

export interface LoadOptions {
  /** Rest between two commits. */
  readonly pauseMs: number
  /** Of the text in each document. */
  readonly textBytes: number
  readonly odd: readonly Odd[]
}

/** Changes of a few keys, without end, and what they come to. */
export class Load {
  readonly #log: EmbeddedLog
  readonly #options: LoadOptions
  readonly #state = new Map<string, string>()
  readonly #text: string
  #version = 0
  written = 0
  /** How many of them must be refused. */
  odd = 0

  constructor(log: EmbeddedLog, options: LoadOptions) {
    this.#log = log
    this.#options = options
    this.#text = 'x'.repeat(options.textBytes)
  }

  async run(signal: AbortSignal): Promise<void> {
    const writer = this.#log.writer('load')
    await writer.resume('load')
    while (!signal.aborted) {
      const position = String(this.#version) as Position
      await writer.write({ records: this.#commit(), position, complete: true })
      await writer.commit({ source: 'load', position, timestamp: 0 })
      await sleep(this.#options.pauseMs)
    }
  }

  /** What the target shall hold: JSON by id. */
  get expected(): ReadonlyMap<string, string> {
    return this.#state
  }

  /** Some keys, each once; of the odd ones, one in five commits. */
  #commit(): NewRecord[] {
    const version = ++this.#version
    const count = 1 + Math.floor(Math.random() * 20)
    const ids = new Set(Array.from({ length: count }, () => Math.floor(Math.random() * keys)))
    const records = [...ids].map((id, ordinal) => this.#change(id, version, ordinal))
    const { odd } = this.#options
    if (version % 5 === 0 && odd.length > 0) {
      const { id, row } = odd[this.odd++ % odd.length]!
      records.push(recordOf(JSON.stringify({ id }), row, { version, ordinal: records.length }))
    }
    this.written += records.length
    return records.map((record, i) => ({ ...record, endsCommit: i === records.length - 1 }))
  }

  #change(id: number, version: number, ordinal: number): NewRecord {
    const isDelete = Math.random() < 0.3
    const row = isDelete ? null : JSON.stringify({ id, text: this.#text, version })
    if (row === null) this.#state.delete(String(id))
    else this.#state.set(String(id), row)
    return recordOf(`{"id":${id}}`, row, { version, ordinal })
  }
}

function recordOf(
  key: string,
  row: string | null,
  { version, ordinal }: { readonly version: number; readonly ordinal: number },
): NewRecord {
  const op = row === null ? 'd' : 'u'
  return {
    ...{ topic, version: BigInt(version), ordinal, timestamp: version, endsCommit: false },
    key: Buffer.from(key),
    value: Buffer.from(
      `{"before":null,"after":${row},"source":{},"op":"${op}","ts_ms":${version}}`,
    ),
  }
}

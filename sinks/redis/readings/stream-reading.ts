import { type IdOf, keyId } from '../../../src/core/document-id.ts'
import type { SinkContext } from '../../../src/core/plugin.ts'
import type { Reading, StoredDocument, ToldState } from '../../../src/core/reading.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { entryOf, fieldsOf } from '../forms/entries.ts'
import { rowKey } from '../forms/open-form.ts'
import { documentKey, stampKey, stampPattern } from '../keys.ts'
import type { RedisOptions } from '../options.ts'
import type { RowTemplate } from '../row-template.ts'
import { readStamp } from '../stamp.ts'
import { byPages, Glance } from './glance.ts'

/** Entries asked for at a time. */
const pageEntries = 500

/**
 * Reads entries of streams, each under the stream's key and its own id. What the topic holds no
 * more stays, and nobody misses what the stream has dropped.
 */
export class StreamReading implements Reading {
  readonly idOf: IdOf = keyId
  readonly expires: boolean
  readonly keepsDeleted = true
  readonly #glance: Glance
  readonly #place: RowTemplate

  constructor(options: RedisOptions, context: SinkContext) {
    this.#glance = new Glance(options, context)
    this.#place = rowKey(options, context.topic)
    this.expires = options.maxLength !== undefined
  }

  statesOf(record: LogRecord): readonly ToldState[] {
    const entry = entryOf(record, this.#place)
    if (!('to' in entry)) return []
    const id = `${entry.to} ${record.version}-${record.ordinal}`
    return [{ id, doc: () => textOf(fieldsOf(record, entry.change).map(String)) }]
  }

  keyOf(): undefined {
    return undefined // An entry cannot be taken back.
  }

  checkpoint(): Promise<Position | null> {
    return this.#glance.checkpoint()
  }

  async count(): Promise<number> {
    let count = 0
    for await (const stream of this.#streams()) {
      count += await this.#glance.ask<number>('XLEN', stream)
    }
    return count
  }

  async *all(): AsyncGenerator<StoredDocument> {
    for await (const stream of this.#streams()) {
      for (let from = '-'; ; ) {
        const words = [from, '+', 'COUNT', String(pageEntries)]
        const page = await this.#glance.ask<Entry[]>('XRANGE', stream, ...words)
        for (const entry of page) yield storedOf(stream, entry)
        if (page.length < pageEntries) break
        from = `(${page.at(-1)![0]}`
      }
    }
  }

  some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    return byPages(ids, async (page) =>
      (await Promise.all(page.map((id) => this.#entry(id)))).flat(),
    )
  }

  close(): Promise<void> {
    return this.#glance.close()
  }

  async #entry(id: string): Promise<StoredDocument[]> {
    const at = id.lastIndexOf(' ')
    const [stream, place] = [id.slice(0, at), id.slice(at + 1)]
    if (at < 0 || !/^\d+-\d+$/.test(place)) return []
    const found = await this.#glance.ask<Entry[]>('XRANGE', stream, place, place)
    return found.map((entry) => storedOf(stream, entry))
  }

  /** Each once, although a scan may meet it twice. */
  async *#streams(): AsyncGenerator<string> {
    const seen = new Set<string>()
    for await (const page of this.#glance.scan(stampPattern(this.#place.prefix))) {
      const stamps = await this.#glance.texts(page)
      for (const [i, mark] of page.entries()) {
        const stream = documentKey(mark)
        if (seen.has(stream) || !this.#glance.isOurs(readStamp(stamps[i] ?? ''))) continue
        if (stampKey(stream) === mark) yield stream
        seen.add(stream)
      }
    }
  }
}

type Entry = readonly [id: string, fields: readonly string[]]

function storedOf(stream: string, [id, fields]: Entry): StoredDocument {
  const values = fields.filter((_, i) => i % 2 === 1)
  return { id: `${stream} ${id}`, version: BigInt(id.split('-')[0]!), doc: textOf(values) }
}

/** Of the five fields, one object. */
function textOf([op, time, key, before, after]: readonly string[]): string {
  return `{"op":"${op}","ts_ms":${time},"key":${key},"before":${before || null},"after":${after || null}}`
}

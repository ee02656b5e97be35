import type { Commit } from './envelope-writer.ts'
import type { Relation } from './relation.ts'

/** Where a change stands in its transaction, as Debezium's envelope says it. */
export interface TransactionPlace {
  readonly id: string
  readonly totalOrder: number
  readonly collectionOrder: number
}

/** A record of the transaction topic. */
export interface TransactionRecord {
  readonly topic: string
  readonly key: Buffer
  readonly value: Buffer
}

/**
 * Transaction metadata, as Debezium writes it to `<prefix>.transaction`: BEGIN before the first
 * change of a transaction, END with the counts of each table behind the last. BEGIN, END and the
 * changes between bear the same id, `<xid>:<LSN of the commit>`.
 */
export class TransactionWriter {
  readonly #topic: string
  readonly #counts = new Map<string, number>()
  #id = ''
  #ms = 0
  #total = 0

  constructor(prefix: string) {
    this.#topic = `${prefix}.transaction`
  }

  begin({ xid, micros }: Commit, lsn: number): TransactionRecord {
    this.#id = `${xid}:${lsn}`
    this.#ms = Math.floor(micros / 1000)
    this.#total = 0
    this.#counts.clear()
    return this.#record('BEGIN', null, null)
  }

  /** Counts a change of a table, or a logical message, which belongs to none. */
  count(relation: Relation | undefined): TransactionPlace {
    const name = relation === undefined ? '' : `${relation.namespace}.${relation.name}`
    const collectionOrder = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, collectionOrder)
    return { id: this.#id, totalOrder: ++this.#total, collectionOrder }
  }

  end(): TransactionRecord {
    const collections = [...this.#counts].map(([name, count]) => ({
      ...{ data_collection: name, event_count: count },
    }))
    return this.#record('END', this.#total, collections)
  }

  #record(
    status: 'BEGIN' | 'END',
    count: number | null,
    collections: readonly object[] | null,
  ): TransactionRecord {
    const value = {
      ...{ status, id: this.#id, ts_ms: this.#ms },
      ...{ event_count: count, data_collections: collections },
    }
    return {
      topic: this.#topic,
      key: Buffer.from(JSON.stringify({ id: this.#id })),
      value: Buffer.from(JSON.stringify(value)),
    }
  }
}

import type { Json } from '../core/json.ts'
import type { LogRecord } from '../core/record.ts'
import type { Outcome } from '../core/sink.ts'
import type { ReadableStore, TableFlow, TableUpdate } from './flow/flow.ts'
import { Outlet } from './flow/outlet.ts'
import { type Key, type KeyValue, toKey } from './key.ts'
import type { StoredRow } from './stored-row.ts'
import type { Stamped } from './stores/stamped.ts'
import type { Table } from './table.ts'

/**
 * A topic of changes as a table at work record by record. Holes are filled, truncates and sweeps
 * are deletes of each row, older versions change nothing, and a row that stays as it is tells
 * nothing.
 */
export class SourceTable implements TableFlow {
  readonly kind = 'table'
  readonly updates = new Outlet<TableUpdate>()
  readonly #table: Table

  constructor(table: Table) {
    this.#table = table
  }

  get(key: Json): Stamped | null {
    const text = toKey(key as KeyValue)
    return text === null ? null : stamped(this.#table.text(text))
  }

  knowsBefore(): boolean {
    return true
  }

  take(record: LogRecord): Outcome {
    const table = this.#table
    const outcome = table.apply(record)
    if (typeof outcome === 'string' || 'code' in outcome) {
      this.#tell(record.timestamp)
      return outcome
    }
    for (const key of table.keysBelow(outcome.below)) {
      table.remove(key)
      this.#tell(record.timestamp)
    }
    return 'applied'
  }

  endCommit(): void {
    this.#table.endCommit()
  }

  /** What a store of this table can be asked. */
  get readable(): ReadableStore {
    const table = this.#table
    const keyOf = (text: Key): Json => table.keys!.value(text)
    return {
      get: (key) => this.get(key)?.value ?? null,
      *entries() {
        for (const [key, row] of table.entries()) yield { key: keyOf(key), ...stamped(row)! }
      },
    }
  }

  #tell(timestamp: number): void {
    const table = this.#table
    table.process()
    for (const [keyText, { before, after }] of table.delta) {
      const key = table.keys!.value(keyText)
      this.updates.forward({ key, before, after, timestamp, isLatest: true })
    }
    table.endRound()
  }
}

function stamped(row: StoredRow | null): Stamped | null {
  return row && { value: row.row, timestamp: row.timestamp }
}

import type { Task } from '../../src/core/log.ts'
import type { NewRecord } from '../../src/core/record.ts'
import type { Checkpoint, Outcome } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { MemoryStore } from '../../src/streams/memory-store.ts'

/** What one transaction made durable. */
export interface Written {
  readonly records: readonly NewRecord[]
  readonly complete: boolean
}

/** A task in memory. It can be told to fail before or after any of its transactions. */
export class MemoryTask implements Task {
  readonly store = new MemoryStore()
  readonly transactions: Written[] = []
  /** Called before and after each transaction; what it throws is a crash there. */
  crash: (moment: 'before' | 'after', transactions: number) => void = () => {}
  position: Position | undefined
  #staged: NewRecord[] = []
  #complete = true

  get records(): readonly NewRecord[] {
    return this.transactions.flatMap(({ records }) => records)
  }

  async resume(): Promise<Position | undefined> {
    this.#staged = []
    this.#complete = true
    this.store.rollback()
    return this.position
  }

  async clear(): Promise<void> {
    this.#staged = []
    this.store.rollback()
    for (const [key] of [...this.store.scan(new Uint8Array(0))]) this.store.delete(key)
    this.store.commit()
    this.position = undefined
  }

  async write({ records, complete }: Batch<NewRecord>): Promise<readonly Outcome[]> {
    this.#staged.push(...records)
    this.#complete = complete
    return records.map(() => 'applied')
  }

  async commit({ position }: Checkpoint): Promise<void> {
    this.crash('before', this.transactions.length)
    this.transactions.push({ records: this.#staged, complete: this.#complete })
    this.#staged = []
    this.store.commit()
    this.position = position
    this.crash('after', this.transactions.length)
  }

  async close(): Promise<void> {}
}

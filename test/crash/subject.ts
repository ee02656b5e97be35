import type { Client } from 'pg'
import type { Documents } from '../../config/orders/demo/verdict.ts'

/** What is written in one database, and what sinks should make of it. */
export interface Subject {
  /** The connector that reads it, and its slot. */
  readonly connector: string
  readonly slot: string
  readonly client: Client
  /** Tables that are worth reading again. */
  readonly tables: readonly string[]
  /** Whether an id may come back for another row. */
  readonly reusesIds: boolean
  /** The documents, as Postgres itself computes them. */
  expected(): Promise<Documents>
  /** The last change of a life: a document that is there once all that came before it is. */
  placeLast(): Promise<string>
  /** Brings the tables back to their size, before anybody reads them. */
  trim(): Promise<void>
  /** Takes rows away, and gives others another key, for nobody to see. */
  vanish(part: number): Promise<void>
}

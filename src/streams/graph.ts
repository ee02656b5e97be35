import type { LogRecord } from '../core/record.ts'
import type { Outcome } from '../core/sink.ts'
import type { Node } from './node.ts'
import type { Table, Truncation } from './table.ts'
import type { ViewOutput } from './view-output.ts'

/** A truncate removes so many rows in a round, so that no round grows with the table. */
const rowsPerRound = 5_000

/**
 * A topology at work. Records gather in the tables; a round nets them per key and brings every
 * table derived from them, and the views' sets of changed keys, up to date. A commit may take many
 * rounds.
 */
export class Graph {
  readonly views: readonly ViewOutput[]
  readonly #tables: ReadonlyMap<string, Table>
  /** Each after those that it reads. */
  readonly #nodes: readonly Node[]
  #gathered = 0

  constructor(
    tables: ReadonlyMap<string, Table>,
    nodes: readonly Node[],
    views: readonly ViewOutput[],
  ) {
    this.#tables = tables
    this.#nodes = nodes
    this.views = views
  }

  apply(record: LogRecord): Outcome {
    const table = this.#tables.get(record.topic)
    if (table === undefined) return 'filtered'
    const outcome = applied(table, record)
    if (typeof outcome === 'object' && 'below' in outcome) {
      this.#truncate(table, outcome)
      return 'applied'
    }
    if (++this.#gathered >= rowsPerRound) this.round()
    return outcome
  }

  round(): void {
    if (this.#gathered === 0) return
    this.#gathered = 0
    for (const node of this.#nodes) node.process()
    for (const view of this.views) view.noteChanges()
    for (const node of this.#nodes) node.endRound()
  }

  endCommit(): void {
    for (const table of this.#tables.values()) table.endCommit()
  }

  #truncate(table: Table, { below }: Truncation): void {
    this.round()
    for (const key of table.keysBelow(below)) {
      table.remove(key)
      if (++this.#gathered >= rowsPerRound) this.round()
    }
    this.round()
  }
}

/** A record that is no change of a row is refused; whatever else goes wrong is not its fault. */
function applied(table: Table, record: LogRecord): Outcome | Truncation {
  try {
    return table.apply(record)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { code: 'not_a_change', reason: `The record cannot be read: ${error.message}.` }
  }
}

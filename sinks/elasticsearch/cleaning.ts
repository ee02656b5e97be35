import type { BulkWriter } from './bulk-writer.ts'
import type { ElasticsearchClient } from './client.ts'
import { type Deletes, tombstoneField, tombstoneTimeField } from './deletes.ts'
import { searchPattern } from './generations.ts'
import { removeFound } from './sweep.ts'
import type { Remains } from './target-index.ts'

export interface CleaningParts {
  readonly client: ElasticsearchClient
  readonly bulk: BulkWriter
  readonly index: string
  readonly say: (line: string) => void
}

/** Removes from an index what its topic no longer accounts for. */
export class Cleaning {
  readonly #parts: CleaningParts
  readonly #tombstonesForMs: number | undefined
  #cleanedAt = Number.NEGATIVE_INFINITY

  constructor(parts: CleaningParts, deletes: Deletes, tombstonesForMs: number) {
    this.#parts = parts
    this.#tombstonesForMs = deletes === 'tombstone' ? tombstonesForMs : undefined
  }

  /**
   * Removes what was in an index before it was filled again and has not been written since: rows
   * that were deleted meanwhile, of which the topic may tell nothing any more.
   */
  async sweep(remains: string): Promise<void> {
    const { client, bulk, index, say } = this.#parts
    let removed = 0
    for (const [shard, newest] of (JSON.parse(remains) as Remains).entries()) {
      const query = { range: { _seq_no: { lte: newest } } }
      removed += await removeFound(client, bulk, { index, query, shard })
    }
    if (removed > 0) say(`${removed} documents were left in ${index} that have no row: removed.`)
  }

  /** Now and then: tombstones that no replay reaches back to. */
  async removeOldTombstones(): Promise<void> {
    const keepMs = this.#tombstonesForMs
    if (keepMs === undefined || performance.now() - this.#cleanedAt < keepMs / 24) return
    this.#cleanedAt = performance.now()
    const { client, bulk, index } = this.#parts
    const old = { range: { [tombstoneTimeField]: { lt: Date.now() - keepMs } } }
    const query = { bool: { filter: [{ term: { [tombstoneField]: true } }, old] } }
    await removeFound(client, bulk, { index: searchPattern(index), query })
  }
}

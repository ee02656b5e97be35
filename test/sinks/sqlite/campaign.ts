import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Test } from 'tap'
import type * as campaigns from '../campaign/campaign.ts'

/** Where a campaign writes to, and how it is seen. */
export function target(t: Test): {
  readonly path: string
  readonly seen: campaigns.CampaignTarget
} {
  const path = join(t.testdir({}), 'shop.db')
  const read = (column: string) => {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
    try {
      const statement = database.prepare(`SELECT id, ${column} AS value FROM orders`)
      statement.setReadBigInts(true)
      return statement.all().map(({ id, value }) => [String(id), value] as const)
    } finally {
      database.close()
    }
  }
  const seen: campaigns.CampaignTarget = {
    type: 'sqlite',
    options: { type: 'sqlite', path, table: 'orders', columns: { written: 'version' } },
    place: { pipeline: 'shop', name: 'local' },
    stored: async () => new Map(read('doc').map(([id, value]) => [id, String(value)])),
    versions: async () => new Map(read('version').map(([id, value]) => [id, value as bigint])),
  }
  return { path, seen }
}

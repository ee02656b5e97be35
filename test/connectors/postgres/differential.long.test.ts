import { test } from 'tap'
import { allTypes } from '../../support/generated-types.ts'
import { compareGeneratedTables } from './differential.ts'

test('ten thousand rows of all types differ nowhere', { timeout: 280_000 }, async (t) => {
  const size = { tables: 4, columns: 25, rows: 80, runs: 75, seed: 20_260 }
  const { rows, types } = await compareGeneratedTables(t, size)
  t.ok(rows >= 10_000, `${rows} rows`)
  const missing = allTypes.filter(({ sql }) => !types.has(sql))
  t.same(missing, [], 'each type has had its turn')
})

import { test } from 'tap'
import { compareGeneratedTables } from './differential.ts'

test('values of all types are those of another decoder, of a SELECT and of a snapshot', async (t) => {
  const { rows } = await compareGeneratedTables(t, {
    tables: 4,
    columns: 30,
    rows: 50,
    runs: 5,
    seed: 4,
  })
  t.ok(rows >= 500, `${rows} rows`)
})

import { DatabaseSync } from 'node:sqlite'
import { finish } from './finish.ts'

/** Looks every millisecond whether the file changed, and notes when each row can be read. */
const { path, firstId, count } = JSON.parse(process.argv[2]!)
const now = () => Number(process.hrtime.bigint()) / 1e6
const database = await open()
const changed = database.prepare('PRAGMA data_version')
const rows = database.prepare('SELECT rowid, id FROM orders WHERE rowid > ? ORDER BY rowid')
const newest = database.prepare('SELECT coalesce(max(rowid), 0) AS rowid FROM orders')
let last = Number(newest.get()!.rowid)
let version = 0
let left = count
const seen: number[] = new Array(count).fill(0)
console.log('ready')
while (left > 0) {
  await new Promise((resolve) => setTimeout(resolve, 1))
  const { data_version } = changed.get() as { data_version: number }
  if (data_version === version) continue
  version = data_version
  const found = rows.all(last)
  const at = now()
  for (const { rowid, id } of found) {
    last = Number(rowid)
    const i = Number(id) - firstId
    if (i < 0 || i >= count || seen[i] !== 0) continue
    seen[i] = at
    left--
  }
}
finish({ seen })

/** The sink makes the file and its table when it starts. */
async function open(): Promise<DatabaseSync> {
  for (let attempt = 0; ; attempt++) {
    try {
      const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
      database.prepare('SELECT 1 FROM orders')
      return database
    } catch (error) {
      if (attempt === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

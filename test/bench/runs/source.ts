import { Client } from 'pg'
import { encodePosition } from '../../../connectors/postgres/position.ts'
import { parseLsn } from '../../../connectors/postgres/wal/lsn.ts'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'
import { wire } from './wiring.ts'

/** From a slot that holds the rows to the durable log. */
const { url, slot, rows, path } = JSON.parse(process.argv[2]!)
const wiring = await wire({ url, path, slot, table: 'public.big' })
await begin()
const cpu = process.cpuUsage()
const start = performance.now()
wiring.start()
await wiring.moved(rows)
const seconds = (performance.now() - start) / 1000
const cpuUsPerRow = cpuMicros(cpu) / rows
await wiring.end()
finish({ rowsPerSecond: rows / seconds, cpuUsPerRow })

/** Puts the connector where the slot stands, as if it had read everything before. */
async function begin(): Promise<void> {
  const client = new Client(url)
  await client.connect()
  const { rows: slots } = await client.query(
    `SELECT confirmed_flush_lsn AS lsn, (SELECT system_identifier::text FROM pg_control_system())
       AS system_id FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  )
  await client.end()
  const lsn = parseLsn(slots[0].lsn)
  const position = encodePosition({
    ...{ systemId: slots[0].system_id, timeline: 1, slot, tables: ['public.big'] },
    ...{ commit: lsn - 1n, ordinal: 0, held: [], commitEnd: lsn, lastVersion: 0n },
  })
  await wiring.writer.commit({ source: 'shop', position, timestamp: 0 })
}

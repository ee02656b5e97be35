import { Client } from 'pg'
import { parseLsn } from '../../../connectors/postgres/lsn.ts'
import { postgresOptions } from '../../../connectors/postgres/options.ts'
import { encodePosition } from '../../../connectors/postgres/position.ts'
import { PostgresSource } from '../../../connectors/postgres/source.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'
import { cpuMicros } from '../measure.ts'

/** The connector as the program wires it, from a slot that holds the rows to the durable log. */
const { url, slot, rows, path } = JSON.parse(process.argv[2]!)
const log = await openEmbeddedLog({ path })
const writer = log.writer('bench')
await begin()
const options = postgresOptions.parse({
  ...{ url, tables: ['public.big'], 'slot.name': slot, 'publication.name': 'bench' },
})
const source = new PostgresSource(options, { pipeline: 'bench', name: 'shop', say: () => {} })
const meter = new Meter()
const stop = new AbortController()
const cpu = process.cpuUsage()
const start = performance.now()
const running = pump({ source, sink: writer, deadLetters: async () => {}, meter }, stop.signal)
while (meter.records < rows) {
  await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 2))])
}
const seconds = (performance.now() - start) / 1000
const cpuUsPerRow = cpuMicros(cpu) / rows
stop.abort()
await running
await log.close()
console.log(JSON.stringify({ rowsPerSecond: rows / seconds, cpuUsPerRow }))
process.exit(0)

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
  await writer.commit({ source: 'shop', position, timestamp: 0 })
}

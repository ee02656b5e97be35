import { Client } from 'pg'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'
import { readMessages, sendQuery } from './messages.ts'

/** The fastest way to have every row of a table: one COPY on one connection, and nothing kept. */
const { url, rows } = JSON.parse(process.argv[2]!)
const copyData = 0x64
const readyForQuery = 0x5a
const client = new Client(url)
await client.connect()
const cpu = process.cpuUsage()
const start = performance.now()
let seen = 0
await readMessages(sendQuery(client, 'COPY big TO STDOUT'), (bytes, at) => {
  if (bytes[at] === copyData) seen++
  return bytes[at] === readyForQuery
})
const seconds = (performance.now() - start) / 1000
if (seen !== rows) throw new Error(`COPY gave ${seen} rows instead of ${rows}`)
finish({ rowsPerSecond: rows / seconds, cpuUsPerRow: cpuMicros(cpu) / rows })

import type { Socket } from 'node:net'
import { Client } from 'pg'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'

/**
 * The least that a reader of a slot can do: skips every message by its length, looks at the first
 * letter of the payload to see the commit, and acknowledges as often as the connector does.
 */
const { url, slot, rows, commits } = JSON.parse(process.argv[2]!)
const client = new Client({ connectionString: url, replication: 'database' } as object)
await client.connect()
const socket = (client as unknown as { connection: { stream: Socket } }).connection.stream
const cpu = process.cpuUsage()
const start = performance.now()
let last = start
await drain()
const seconds = (last - start) / 1000
finish({ rowsPerSecond: rows / seconds, cpuUsPerRow: cpuMicros(cpu) / rows })

function drain(): Promise<void> {
  const sql = Buffer.from(
    `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 (proto_version '1', publication_names 'bench')\0`,
  )
  const query = Buffer.concat([Buffer.from([0x51, 0, 0, 0, 0]), sql])
  query.writeUInt32BE(4 + sql.length, 1)
  const alive = setInterval(acknowledge, 200)
  return new Promise((resolve) => {
    let left = commits
    let rest: Buffer = Buffer.alloc(0)
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      let at = 0
      while (at + 5 <= bytes.length) {
        const end = at + 1 + bytes.readUInt32BE(at + 1)
        if (end > bytes.length) break
        // CopyData 'd', XLogData 'w', 25 bytes of header, Commit 'C'.
        if (bytes[at] === 0x64 && bytes[at + 5] === 0x77 && bytes[at + 30] === 0x43) {
          if (--left > 0) {
            at = end
            continue
          }
          last = performance.now()
          clearInterval(alive)
          resolve()
        }
        at = end
      }
      rest = bytes.subarray(at)
    })
    socket.write(query)
  })
}

function acknowledge(): void {
  const message = Buffer.alloc(39)
  message.write('d', 0)
  message.writeUInt32BE(38, 1)
  message.write('r', 5)
  socket.write(message)
}

import { readFileSync } from 'node:fs'
import { Client } from 'pg'
import { PgoutputPlugin } from 'pg-logical-replication'
import { postgresOptions, resolveOptions } from '../../../connectors/postgres/options.ts'
import type { PostgresPosition } from '../../../connectors/postgres/position.ts'
import { ChangeDecoder } from '../../../connectors/postgres/wal/decoder.ts'
import { Relations } from '../../../connectors/postgres/wal/relations.ts'
import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'
import { messageEnd } from './messages.ts'

/** WAL messages from a file to the bytes of keys and envelopes, several times over. */
const { url, file, rows, passes, mode } = JSON.parse(process.argv[2]!)
const wal = readFileSync(file)
/** Behind the message's tag and length, and the header of XLogData. */
const payload = 30
const run = mode === 'baseline' ? baseline() : await connector()
if ((await run()) !== rows) throw new Error('not every row was decoded') // It gets warm, too.
const cpu = process.cpuUsage()
const start = performance.now()
for (let i = 0; i < passes; i++) await run()
const count = rows * passes
const seconds = (performance.now() - start) / 1000
finish({ cpuUsPerRow: cpuMicros(cpu) / count, rowsPerSecond: count / seconds })

/** The connector's decoder, from message to batch. */
async function connector(): Promise<() => Promise<number>> {
  const client = new Client(url)
  await client.connect()
  const options = resolveOptions(
    postgresOptions.parse({ url, tables: ['public.big'] }),
    'bench',
    'shop',
  )
  const relations = new Relations(options, async () => client)
  const origin = { version: options.version, name: options.prefix, database: 'postgres' }
  const position: PostgresPosition = {
    ...{ systemId: '7000000000000000000', timeline: 1, slot: 'bench', tables: ['public.big'] },
    ...{ commit: 0n, ordinal: 0, held: [], commitEnd: 0n, lastVersion: 0n },
  }
  return async () => {
    const decoder = new ChangeDecoder({
      ...{ origin, position, relations: relations.known, options: options.decoding },
    })
    let records = 0
    const take = () => (records += decoder.batches.take()?.records.length ?? 0)
    let at = 0
    for (let end = messageEnd(wal, at); end !== undefined; end = messageEnd(wal, at)) {
      const lsn = wal.readUInt32BE(at + 6) * 2 ** 32 + wal.readUInt32BE(at + 10)
      const relation = decoder.handle(wal, at + payload, lsn)
      if (relation !== undefined && !relations.known.has(relation.oid)) {
        await relations.meet(relation)
      }
      if (decoder.batches.isFull) take()
      at = end
    }
    take()
    return records
  }
}

/** What most programs do: the common package's objects, and JSON.stringify. */
function baseline(): () => Promise<number> {
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: ['bench'] })
  return async () => {
    let records = 0
    let source = {}
    let at = 0
    for (let end = messageEnd(wal, at); end !== undefined; end = messageEnd(wal, at)) {
      const message = plugin.parse(wal.subarray(at + payload, end))
      if (message.tag === 'begin') {
        const { xid: txId, commitTime, commitLsn } = message
        source = { ...sourceOf(Number(commitTime)), txId, commitLsn }
      } else if (message.tag === 'insert') {
        const lsn = wal.readUInt32BE(at + 6) * 2 ** 32 + wal.readUInt32BE(at + 10)
        const key = Buffer.from(JSON.stringify({ id: message.new.id }))
        const value = Buffer.from(JSON.stringify(envelope(message.new, { ...source, lsn })))
        if (key.length > 0 && value.length > 0) records++
      }
      at = end
    }
    return records
  }
}

function sourceOf(micros: number) {
  return {
    ...{ version: '0', connector: 'postgresql', name: 'shop', ts_ms: Math.floor(micros / 1000) },
    ...{ snapshot: 'false', db: 'postgres', sequence: null, ts_us: micros, schema: 'public' },
    ...{ table: 'big', xmin: null },
  }
}

function envelope(after: object, source: object) {
  return { before: null, after, source, transaction: null, op: 'c', ts_ms: Date.now() }
}

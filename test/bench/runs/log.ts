import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { keepAll } from '../../../src/core/topic-policy.ts'
import { clean } from '../../../src/log/cleaner.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded.ts'
import { type Environment, openEnvironment } from '../../../src/log/environment.ts'
import { percentile } from '../measure.ts'
import { finish } from './finish.ts'

/** What a run does, and with how much. */
interface Input {
  readonly does: keyof typeof runs
  readonly path: string
  readonly count: number
}

const batchRecords = 1_000
const valueBytes = 280
const topic = 'bench'
const position = '1' as Position
const value = change('x'.repeat(valueBytes - change('').length))

const runs = { append, copyBlocks, read, scan, fill, open, update, updateCleaned }

const input = JSON.parse(process.argv[2]!) as Input
finish(await runs[input.does](input))

/** Batches of a thousand records, each durable before the next. */
async function append({ path, count }: Input) {
  const log = await openEmbeddedLog({ path })
  const result = await write(log, count, (i) => i)
  await log.close()
  return result
}

/** The blocks that `append` has written, into a bare store, with as many in a transaction. */
async function copyBlocks({ path, count }: Input) {
  const { blocks, root } = openEnvironment(path, true)
  const entries = [...blocks.getRange()]
  const target = openEnvironment(`${path}-copy`)
  const atOnce = Math.ceil(entries.length / (count / batchRecords))
  const start = process.cpuUsage()
  const startedAt = performance.now()
  for (let at = 0; at < entries.length; at += atOnce) {
    await target.root.batch(() => {
      for (const { key, value } of entries.slice(at, at + atOnce))
        void target.blocks.put(key, value)
    })
  }
  const result = { ...rate(count, startedAt), cpuUs: cpu(start) / count }
  await Promise.all([root.close(), target.root.close()])
  return result
}

async function read({ path, count }: Input) {
  const log = await openEmbeddedLog({ path })
  const start = process.cpuUsage()
  const startedAt = performance.now()
  let seen = 0
  for await (const { records } of log
    .reader([topic], '')
    .read(undefined, new AbortController().signal)) {
    seen += records.length
    if (seen >= count) break
  }
  return { ...rate(count, startedAt), cpuUs: cpu(start) / count }
}

/** The same records, one an entry, as a store has them that knows nothing of blocks. */
async function scan({ path, count }: Input) {
  const { state, root }: Environment = openEnvironment(`${path}-entries`)
  for (let at = 0; at < count; at += 50_000) {
    await root.batch(() => {
      for (let i = at; i < Math.min(count, at + 50_000); i++) void state.put(keyOf(i), value)
    })
  }
  const start = process.cpuUsage()
  const startedAt = performance.now()
  let bytes = 0
  for (const { value } of state.getRange()) bytes += value.length
  return { ...rate(bytes / value.length, startedAt), cpuUs: cpu(start) / count }
}

/** Many small records, to be opened. */
async function fill({ path, count }: Input) {
  const log = await openEmbeddedLog({ path })
  const small = Buffer.alloc(8, 'x')
  const writer = log.writer('w')
  for (let at = 0; at < count; at += 20_000) {
    const records = Array.from({ length: 20_000 }, (_, i) =>
      record(at + i, { key: at + i, value: small }),
    )
    await writer.write({ records, position, complete: true })
    await writer.commit({ source: 's', position, timestamp: 1 })
  }
  await log.close()
  return { megabytes: statSync(join(path, 'log.mdb')).size / 1e6 }
}

async function open({ path }: Input) {
  const startedAt = performance.now()
  const log = await openEmbeddedLog({ path })
  const openMs = performance.now() - startedAt
  const { value } = await log
    .reader([topic], '')
    .read(undefined, new AbortController().signal)
    [Symbol.asyncIterator]()
    .next()
  if (value === undefined) throw new Error('it holds nothing')
  const { partitions } = (await log.describe()).topics[0]!
  return { openMs, records: Number(partitions[0]!.end) }
}

/** Updates of a hundred thousand keys, over and over. */
async function update({ path, count }: Input) {
  const log = await openEmbeddedLog({ path })
  const result = await write(log, count, (i) => (i * 7919) % 100_000)
  await log.close()
  return { ...result, megabytes: statSync(join(path, 'log.mdb')).size / 1e6 }
}

/** The same while the topic is compacted, without a pause between rounds. */
async function updateCleaned({ path, count }: Input) {
  const log = await openEmbeddedLog({ path })
  const stop = new AbortController()
  const policy = { ...keepAll, compacts: true }
  let rounds = 0
  const cleaning = (async () => {
    while (!stop.signal.aborted) {
      await clean(log, { policyOf: () => policy, capBytes: 1e15, say: () => {} }, stop.signal)
      rounds++
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })().catch(() => {})
  const result = await write(log, count, (i) => (i * 7919) % 100_000)
  stop.abort()
  await cleaning
  const { clean: horizon, end } = log.lanes.get(topic)!
  await log.close()
  const megabytes = statSync(join(path, 'log.mdb')).size / 1e6
  return { ...result, megabytes, rounds, cleaned: horizon / end }
}

/** Batch after batch. That a batch's records must be made is not the log's time, but its CPU. */
async function write(log: EmbeddedLog, count: number, keyNumber: (i: number) => number) {
  const writer = log.writer('w')
  await writer.resume('s')
  const start = process.cpuUsage()
  const commitMs: number[] = []
  for (let at = 0; at < count; at += batchRecords) {
    const records = Array.from({ length: batchRecords }, (_, i) => {
      return record(at + i, { key: keyNumber(at + i), value })
    })
    const beganAt = performance.now()
    await writer.write({ records, position, complete: true })
    await writer.commit({ source: 's', position, timestamp: 1 })
    commitMs.push(performance.now() - beganAt)
  }
  const seconds = commitMs.reduce((sum, ms) => sum + ms, 0) / 1000
  return {
    perSecond: count / seconds,
    cpuUs: cpu(start) / count,
    p50Ms: percentile(commitMs, 0.5),
    p99Ms: percentile(commitMs, 0.99),
    longestMs: Math.max(...commitMs),
  }
}

function record(
  i: number,
  { key, value }: { readonly key: number; readonly value: Buffer },
): NewRecord {
  const version = BigInt(i + 1)
  return {
    ...{ topic, key: keyOf(key), value, timestamp: 1, version },
    ...{ ordinal: 0, endsCommit: true },
  }
}

function keyOf(i: number): Buffer {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(0, 0)
  key.writeUInt32BE(i, 4)
  return key
}

function rate(count: number, startedAt: number) {
  return { perSecond: (count / (performance.now() - startedAt)) * 1000 }
}

function cpu(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start)
  return user + system
}

/** As a connector writes it. */
function change(text: string): Buffer {
  const source = { connector: 'postgresql', name: 'db', schema: 'public', table: 'orders', lsn: 1 }
  return Buffer.from(JSON.stringify({ before: null, after: { id: 1, text }, source, op: 'u' }))
}

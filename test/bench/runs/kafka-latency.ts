import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { openKafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { kafkaOptions } from '../../../src/log/kafka/options.ts'
import { finish } from './finish.ts'

/**
 * Commits on a fixed schedule, an open loop: what is due goes out as soon as the transaction before
 * has ended. From when each was due to when a read_committed reader has it.
 */
const { bootstrap, topic, records: count, perSecond } = JSON.parse(process.argv[2]!)
const options = kafkaOptions.parse({ type: 'kafka', brokers: bootstrap })
const path = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
const log = openKafkaLog({ pipeline: 'bench', path, options })
const writer = log.writer(`${topic}.w`)
await writer.resume('s')
const latencies: number[] = []
const padding = 'x'.repeat(280)
let transactions = 0
await commit(0, 1)
const start = performance.now() + 500
const dueAt = (i: number) => start + (i * 1_000) / perSecond
await Promise.all([write(), read()])
latencies.sort((a, b) => a - b)
const at = (share: number) => latencies[Math.floor(latencies.length * share)]!
finish({ p50Ms: at(0.5), p99Ms: at(0.99), perTransaction: count / transactions })

async function write(): Promise<void> {
  for (let next = 1; next <= count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - start) * perSecond) / 1_000))
    if (due < next) await sleep(1)
    else {
      await commit(next, due + 1)
      transactions++
      next = due + 1
    }
  }
}

async function commit(from: number, to: number): Promise<void> {
  const records = Array.from({ length: to - from }, (_, i): NewRecord => {
    const value = Buffer.from(`{"n":${from + i},"p":"${padding}"}`)
    const version = BigInt(from + i + 1)
    return { topic, key: null, value, timestamp: Date.now(), version, ordinal: 0, endsCommit: true }
  })
  await writer.write({ records, position: '' as Position, complete: true })
  await writer.commit({ source: 's', position: String(to) as Position, timestamp: 0 })
}

async function read(): Promise<void> {
  let seen = 0
  for await (const { records } of log
    .reader([topic], 'r')
    .read(undefined, new AbortController().signal)) {
    const now = performance.now()
    for (const { version } of records) {
      const number = Number(version) - 1
      if (number > 0) latencies.push(now - dueAt(number))
      if (++seen > count) return
    }
  }
}

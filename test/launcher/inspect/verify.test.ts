import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { keyId } from '../../../src/core/document-id.ts'
import type { Reading, StoredDocument } from '../../../src/core/reading.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import { joinReadings } from '../../../src/launcher/inspect/partitioned-reading.ts'
import type { Subject } from '../../../src/launcher/inspect/sink-subject.ts'
import { verify } from '../../../src/launcher/inspect/verify.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded.ts'
import { inspectDirectory } from '../../../src/log/embedded-inspection.ts'
import { batch, put, remove } from '../../support/records.ts'

test('what is on its way is no difference, however much is written meanwhile', async (t) => {
  const { log, reading, deliver, look } = await begin(t)
  let version = 0
  const write = () => {
    const id = `${version % 50}`
    const place = { version: ++version }
    return append(log, version % 7 === 0 ? remove(id, place) : put(id, { version }, place))
  }
  for (let i = 0; i < 200; i++) await write()
  await deliver()
  reading.documents.delete('11')
  let isWriting = true
  const writing = (async () => {
    // The sink is behind all the time, and comes to everything in the end.
    while (isWriting) {
      if (version % 50 === 11) version++
      await write()
      await sleep(1)
      if (version % 20 === 0) await deliver()
    }
    await deliver()
  })()
  const { verified } = await verify(look, subject(reading), { patienceMs: 5_000 })
  isWriting = false
  await writing
  t.same(
    verified.differences.map(({ id, kind }) => [id, kind]),
    [['11', 'missing']],
  )
  t.equal(verified.pending, 0)
})

test('a sink that stands still is not blamed for what it has not come to', async (t) => {
  const { log, reading, deliver, look } = await begin(t)
  await append(log, put('1', {}, { version: 1 }))
  await deliver()
  await append(log, put('1', { n: 2 }, { version: 2 }), put('2', {}, { version: 2 }))
  const { verified } = await verify(look, subject(reading), { patienceMs: 0 })
  t.match(verified, { differences: [], pending: 2, documents: { topic: 2, sink: 1 } })
})

test('documents that expire are not missed', async (t) => {
  const { log, reading, deliver, look } = await begin(t)
  await append(log, put('1', {}), put('2', {}, { ordinal: 1 }))
  await deliver()
  reading.documents.delete('1')
  const expiring = subject({ ...methods(reading), expires: true })
  const { verified } = await verify(look, expiring, { patienceMs: 0 })
  t.match(verified, { differences: [], documents: { topic: 2, sink: 1 } })
})

/** A target in memory, which a test delivers to when it wants. */
class MemoryTarget implements Reading {
  readonly documents = new Map<string, StoredDocument>()
  readonly expires = false
  readonly idOf = keyId
  position: Position | null = null

  keyOf(): undefined {}

  async checkpoint(): Promise<Position | null> {
    return this.position
  }

  async count(): Promise<number> {
    return [...this.documents.values()].filter(({ doc }) => doc !== null).length
  }

  async *all(): AsyncGenerator<StoredDocument> {
    for (const document of [...this.documents.values()]) {
      await sleep(1) // So that it changes meanwhile.
      yield document
    }
  }

  async some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    return ids.flatMap((id) => this.documents.get(id) ?? [])
  }

  async close(): Promise<void> {}
}

function methods(target: MemoryTarget): Reading {
  return {
    idOf: target.idOf,
    keyOf: () => undefined,
    expires: target.expires,
    checkpoint: () => target.checkpoint(),
    count: () => target.count(),
    all: () => target.all(),
    some: (ids) => target.some(ids),
    close: () => target.close(),
  }
}

function subject(reading: Reading): Subject {
  const joined = joinReadings([reading])
  return { name: 's', type: 'memory', group: 'p.s.orders', ...topics, reading: joined }
}

const topics = { origin: 'orders', topic: 'orders', partitions: 1 }

async function begin(t: Test) {
  const path = mkdtempSync(join(tmpdir(), 'millrace-verify-'))
  const log = await openEmbeddedLog({ path })
  const look = inspectDirectory(path)
  t.teardown(async () => {
    await look.close()
    await log.close()
    rmSync(path, { recursive: true })
  })
  const reading = new MemoryTarget()
  return { log, look, reading, deliver: () => deliver(log, reading) }
}

/** Brings the target up to date, and moves its checkpoint, as a sink does. */
async function deliver(log: EmbeddedLog, target: MemoryTarget): Promise<void> {
  const end = new AbortController()
  const head = BigInt(log.head)
  const from = target.position ?? undefined
  for await (const { records, position } of log.reader(['orders'], 'g').read(from, end.signal)) {
    for (const record of records) keep(target, record)
    target.position = position
    if (records.at(-1)!.sequence + 1n >= head) break
  }
}

function keep({ documents }: MemoryTarget, { key, value, version }: LogRecord): void {
  const id = keyId(key!)
  const { after } = JSON.parse(String(value)) as { after: object | null }
  documents.set(id, { id, version, doc: after === null ? null : JSON.stringify(after) })
}

async function append(log: EmbeddedLog, ...records: readonly LogRecord[]): Promise<void> {
  const writer = log.writer('w')
  await writer.write(batch(records))
  await writer.commit({ source: 's', position: '1' as Position, timestamp: 1 })
}

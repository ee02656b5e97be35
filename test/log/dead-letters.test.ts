import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import type { LogRecord } from '../../src/core/record.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../src/log/embedded.ts'
import { type Letter, lettersOf, recordOf } from '../../src/log/letter.ts'
import { ReadOnlyLog } from '../../src/log/read-only.ts'
import { scanTopic } from '../../src/log/scan.ts'
import { batch, put } from '../support/records.ts'

const sink = 'p.search.orders'

test('a letter tells what was refused, by whom and why, with the original bytes', async (t) => {
  const { log } = await open(t)
  const [record] = await written(log, 2)
  await log.letters.keep(sink, [{ record: record!, code: 'mapping', reason: 'No number.' }])
  const [letter] = [...lettersOf(log)]
  t.match(letter, {
    sink,
    topic: 'orders',
    partition: 0,
    offset: 0n,
    version: '1',
    key: '{"id":1}',
  })
  t.match(letter, { stage: 'TASK_PUT', code: 'mapping', attempts: 1, state: 'open', note: null })
  const kept = recordOf(log, letter!)
  t.same(kept?.value, record!.value)
  t.match(kept?.headers, {
    '__connect.errors.topic': 'orders',
    '__connect.errors.offset': '0',
    '__connect.errors.exception.class.name': 'mapping',
    '__connect.errors.exception.message': 'No number.',
    'millrace.version': '1',
    'millrace.attempts': '1',
    'millrace.first': /^\d{4}-.*Z$/,
  })
})

test('a record refused again is one letter still, with one attempt more', async (t) => {
  const { log } = await open(t)
  const [record] = await written(log, 1)
  await log.letters.keep(sink, [{ record: record!, code: 'mapping', reason: 'No number.' }])
  await log.letters.keep(sink, [{ record: record!, code: 'other', reason: 'No date.' }])
  const [letter, ...rest] = [...lettersOf(log)]
  t.same(rest, [])
  t.match(letter, { attempts: 2, code: 'other', reason: 'No date.', state: 'open' })
  t.ok(letter!.lastAt >= letter!.firstAt)
  t.equal((await all(log, 'orders.dlq')).length, 1)
  t.equal(recordOf(log, letter!)?.headers?.['millrace.attempts'], '2')
})

test('how many wait is counted for each sink, also after a restart', async (t) => {
  const { log, path } = await open(t)
  const [first, second] = await written(log, 2)
  const refused = (record: LogRecord | undefined) => [{ record: record!, code: 'c', reason: 'r' }]
  await log.letters.keep(sink, refused(first))
  await log.letters.keep(sink, refused(second))
  await log.letters.keep(sink, refused(second))
  await log.letters.keep('p.other.orders', refused(second))
  t.equal(log.letters.open(sink), 2)
  await log.letters.settle(found(log, 0n), 'skipped', 'by hand')
  await log.letters.settle(found(log, 0n), 'skipped', 'by hand')
  t.equal(log.letters.open(sink), 1)
  await log.close()
  const again = await openEmbeddedLog({ path })
  t.equal(again.letters.open(sink), 1)
  t.equal(again.letters.open('p.other.orders'), 1)
  t.match(found(again, 0n), { state: 'skipped', note: 'by hand' })
  await again.close()
})

test('a letter that was written opens again when refused; one that was skipped does not', async (t) => {
  const { log } = await open(t)
  const records = await written(log, 2)
  const refused = records.map((record) => ({ record, code: 'c', reason: 'r' }))
  await log.letters.keep(sink, refused)
  await log.letters.settle(found(log, 0n), 'written', 'replayed')
  await log.letters.settle(found(log, 1n), 'skipped', null)
  t.equal(log.letters.open(sink), 0)
  await log.letters.keep(sink, refused)
  t.match(found(log, 0n), { state: 'open', note: null, attempts: 2 })
  t.match(found(log, 1n), { state: 'skipped', attempts: 2 })
  t.equal(log.letters.open(sink), 1)
})

test('another process reads letters while this one writes', async (t) => {
  const { log, path } = await open(t)
  const [record] = await written(log, 1)
  await log.letters.keep(sink, [{ record: record!, code: 'no_key', reason: 'No key.' }])
  const reading = new ReadOnlyLog(path)
  const [letter] = [...lettersOf(reading)]
  t.match(letter, { stage: 'KEY_CONVERTER', id: found(log, 0n).id })
  t.same(recordOf(reading, letter!)?.value, record!.value)
  await reading.close()
})

async function open(t: Test): Promise<{ log: EmbeddedLog; path: string }> {
  const path = mkdtempSync(join(tmpdir(), 'millrace-letters-'))
  const log = await openEmbeddedLog({ path })
  t.teardown(async () => {
    await log.close()
    rmSync(path, { recursive: true })
  })
  return { log, path }
}

/** So many records of a topic, as they are in the log. */
async function written(log: EmbeddedLog, count: number): Promise<readonly LogRecord[]> {
  const writer = log.writer('w')
  const records = Array.from({ length: count }, (_, i) => put(i + 1, {}, { version: i + 1 }))
  await writer.write(batch(records))
  await writer.commit({ source: 's', position: batch([]).position, timestamp: 1 })
  return all(log, 'orders')
}

async function all(log: EmbeddedLog, topic: string): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  for await (const record of scanTopic(log, topic, { end: log.head })) records.push(record)
  return records
}

function found(log: EmbeddedLog, offset: bigint): Letter {
  return [...lettersOf(log)].find((letter) => letter.sink === sink && letter.offset === offset)!
}

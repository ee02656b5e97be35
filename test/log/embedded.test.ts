import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { ReadOnlyLog } from '../../src/log/read-only.ts'
import { logContract } from '../contract/log.ts'
import { openLog } from './logs.ts'

logContract('the embedded log', () => openLog(tmpdir()))

test('a second process cannot open the same directory, and is told who holds it', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-log-'))
  const log = await openEmbeddedLog({ path })
  t.teardown(() => rmSync(path, { recursive: true }))
  await t.rejects(openEmbeddedLog({ path }), {
    code: 'LOG_IN_USE',
    message: new RegExp(`in use by process ${process.pid}`),
  })
  await log.close()
  const again = await openEmbeddedLog({ path })
  await again.close()
})

test('a log that went on from a copy is not taken for the original', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-log-'))
  const copy = `${path}-copy`
  t.teardown(() => {
    rmSync(path, { recursive: true })
    rmSync(copy, { recursive: true })
  })
  const { cpSync } = await import('node:fs')
  const first = await openEmbeddedLog({ path })
  await write(first, 'a', 1n)
  await first.close()
  cpSync(path, copy, { recursive: true })
  const original = await openEmbeddedLog({ path })
  const shared = await position(original, 1)
  await write(original, 'b', 2n)
  const after = await position(original, 2)
  await original.close()
  const other = await openEmbeddedLog({ path: copy })
  await write(other, 'c', 2n)
  await write(other, 'd', 3n)
  const source = other.reader(['t'], 'g')
  t.equal(await source.knows(shared), true, 'what both have in common')
  t.equal(await source.knows(after), false, 'what only the original wrote')
  await other.close()
})

test('another process reads the log while it is written', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-log-'))
  const log = await openEmbeddedLog({ path })
  const stop = new AbortController()
  const tap = new ReadOnlyLog(path)
  t.teardown(async () => {
    await tap.close()
    await log.close()
    rmSync(path, { recursive: true })
  })
  const seen: string[] = []
  const reading = (async () => {
    for await (const { records } of tap.reader(['t']).read(undefined, stop.signal)) {
      for (const { value } of records) seen.push(Buffer.from(value!).toString())
      if (seen.length === 3) return
    }
  })()
  await write(log, 'one', 1n)
  await write(log, 'two', 2n)
  await write(log, 'three', 3n)
  await reading
  t.same(seen, ['one', 'two', 'three'])
})

async function write(
  log: Awaited<ReturnType<typeof openEmbeddedLog>>,
  text: string,
  version: bigint,
) {
  const writer = log.writer('w')
  await writer.resume('s')
  const value = Buffer.from(text)
  const record = { topic: 't', key: value, value, timestamp: 1, version, ordinal: 0 }
  const position = String(version) as never
  await writer.write({ records: [{ ...record, endsCommit: true }], position, complete: true })
  await writer.commit({ source: 's', position, timestamp: 1 })
}

async function position(log: Awaited<ReturnType<typeof openEmbeddedLog>>, count: number) {
  const stop = new AbortController()
  let seen = 0
  for await (const batch of log.reader(['t'], 'g').read(undefined, stop.signal)) {
    seen += batch.records.length
    if (seen >= count) return batch.position
  }
  throw new Error('the log ended')
}

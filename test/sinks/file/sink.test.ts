import { appendFile, mkdtempDisposable, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { type Test, test } from 'tap'
import { file } from '../../../sinks/file/index.ts'
import { StreamSink } from '../../../sinks/file/stream.ts'
import { keyId } from '../../../src/core/document-id.ts'
import { endOfValue } from '../../../src/core/json-scan.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Checkpoint, Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { sinkContract } from '../../contract/sink.ts'
import { collect } from '../../support/collect.ts'
import { batch, note, put, remove, tombstone } from '../../support/records.ts'

const context = { pipeline: 'shop', name: 'lines', topic: 'orders', partition: 0, say: () => {} }

sinkContract('file', { versioned: false, keepsDeletes: false, transactional: true }, async () => {
  const folder = await mkdtempDisposable(join(tmpdir(), 'file-sink-'))
  const path = join(folder.path, 'out.ndjson')
  const sinks: Sink<LogRecord>[] = []
  return {
    open() {
      const sink = open(path)
      sinks.push(sink)
      return sink
    },
    stored: async () => replay(await readFile(path, 'utf8')),
    async wipe() {
      await rm(path)
      await rm(`${path}.checkpoint`)
    },
    async close() {
      for (const sink of sinks) await sink.close()
      await folder.remove()
    },
  }
})

/** What somebody has who follows the lines from the first to the last. */
function replay(lines: string): Map<string, string> {
  const documents = new Map<string, string>()
  for (const line of lines.split('\n').slice(0, -1)) {
    const id = keyId(member(line, 'key'))
    const after = member(line, 'after').toString()
    if (after === 'null') documents.delete(id)
    else documents.set(id, after)
  }
  return documents
}

function member(line: string, name: string): Buffer {
  const bytes = Buffer.from(line)
  const start = bytes.indexOf(`"${name}":`) + name.length + 3
  return bytes.subarray(start, endOfValue(bytes, start))
}

test('each record is one line of JSON', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [
    put(9007199254740993n, '{"id":9007199254740993,\n"name":"a"}', { version: 7, timestamp: 1000 }),
    remove('b', { version: 8, timestamp: 2000 }),
    tombstone('b', { version: 8, timestamp: 2000 }),
    note('t', { version: 9, timestamp: 3000 }),
  ])
  t.same((await readFile(path, 'utf8')).split('\n'), [
    '{"topic":"orders","key":{"id":9007199254740993},"op":"u","version":7,"timestamp":1000,"after":{"id":9007199254740993, "name":"a"}}',
    '{"topic":"orders","key":{"id":"b"},"op":"d","version":8,"timestamp":2000,"after":null}',
    '{"topic":"orders","key":{"id":"b"},"op":"d","version":8,"timestamp":2000,"after":null}',
    '{"topic":"orders","key":null,"op":"t","version":9,"timestamp":3000,"after":null}',
    '',
  ])
})

test('a line can hold the whole change', async (t) => {
  const { sink, path } = await started(t, 'envelope')
  const record = put('a', { total: 5 })
  await apply(sink, [record, tombstone('a', { version: 2 })])
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
  t.same(
    lines.map((line) => JSON.parse(line).change),
    [JSON.parse(String(record.value)), null],
  )
})

test('a record that is no change is refused, and leaves no line', async (t) => {
  const { sink, path } = await started(t)
  const broken = { ...put('a', {}), value: Buffer.from('plain text') }
  const outcomes = await apply(sink, [broken, put('b', {})])
  t.match(outcomes, [{ code: 'not_a_change' }, 'applied'])
  t.equal((await readFile(path, 'utf8')).split('\n').length, 2)
})

test('lines behind the checkpoint, as a crash leaves them, are cut off', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put('a', { total: 5 })])
  const before = await readFile(path, 'utf8')
  await appendFile(path, '{"topic":"orders","key":{"id":"b"},"op"')
  t.equal(await sink.resume('orders'), 'here')
  t.equal(await readFile(path, 'utf8'), before)
})

test('a deleted file is written again, though its checkpoint is still there', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put('a', { total: 5 })])
  await rm(path)
  await t.rejects(apply(sink, [put('b', {})]), { code: 'TARGET_CHANGED' })
  t.equal(await sink.resume('orders'), undefined)
  t.equal((await stat(path)).size, 0)
})

test('a file that somebody else rewrote is written again', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put('a', { total: 5 })])
  const text = await readFile(path, 'utf8')
  await sink.close()
  await writeFile(path, text.replace('5', '6'))
  t.equal(await sink.resume('orders'), undefined)
  t.equal((await stat(path)).size, 0)
})

test('a file with content and no checkpoint is left alone', async (t) => {
  const path = join(t.testdir({ 'notes.txt': 'mine' }), 'notes.txt')
  const sink = open(path)
  t.teardown(() => sink.close())
  await t.rejects(sink.resume('orders'), { code: 'TARGET_MISCONFIGURED' })
  t.equal(await readFile(path, 'utf8'), 'mine')
})

test('a broken checkpoint is reported with the way out', async (t) => {
  const { sink, path } = await started(t)
  await writeFile(`${path}.checkpoint`, '{"v":9}')
  await t.rejects(sink.resume('orders'), { code: 'TARGET_MISCONFIGURED', message: /Remove it/ })
})

test('another choice of content writes the file again', async (t) => {
  const { sink, path } = await started(t)
  await apply(sink, [put('a', { total: 5 })])
  const other = open(path, 'envelope')
  t.teardown(() => other.close())
  t.equal(await other.resume('orders'), undefined)
  t.equal((await stat(path)).size, 0)
})

test('a folder that is missing is named, and found by the check before', async (t) => {
  const path = join(t.testdir(), 'no', 'such', 'out.ndjson')
  await t.rejects(open(path).resume('orders'), { code: 'TARGET_MISCONFIGURED' })
  const findings = await collect(file.check({ type: 'file', path, include: 'document' }))
  t.match(findings, [{ level: 'error' }])
  const well = { type: 'file', path: join(t.testdir(), 'x'), include: 'document' } as const
  t.match(await collect(file.check(well)), [{ level: 'ok' }])
})

test('a stream gets the lines when they are committed, and starts anew on resume', async (t) => {
  const stream = new PassThrough()
  const sink = new StreamSink(stream, 'document')
  t.equal(await sink.resume(), undefined)
  await sink.write(batch([put('a', { total: 5 })]))
  await sink.resume()
  await sink.write(batch([put('b', { total: 6 })]))
  await sink.commit()
  await sink.commit()
  stream.end()
  t.same([...replay(await text(stream))], [['b', '{"total":6}']])
})

test('a stream that nobody reads any more is an error with a code', async (t) => {
  const stream = new PassThrough()
  const sink = new StreamSink(stream, 'document')
  await sink.write(batch([put('a', { total: 5 })]))
  stream.destroy(new Error('EPIPE'))
  await t.rejects(sink.commit(), { code: 'TARGET_BLOCKED' })
})

function open(path: string, include: 'document' | 'envelope' = 'document'): Sink<LogRecord> {
  return file.open({ type: 'file', path, include }, context)
}

async function started(t: Test, include?: 'envelope') {
  const path = join(t.testdir(), 'out.ndjson')
  const sink = open(path, include)
  t.teardown(() => sink.close())
  await sink.resume('orders')
  return { sink, path }
}

async function apply(sink: Sink<LogRecord>, records: readonly LogRecord[]) {
  const outcomes = await sink.write(batch(records))
  const checkpoint: Checkpoint = { source: 'orders', position: 'here' as Position, timestamp: 1 }
  await sink.commit(checkpoint)
  return outcomes
}

test('each topic may have a file of its own', async (t) => {
  const folder = t.testdir({})
  for (const topic of ['orders', 'odd/name%']) {
    const options = file.options.parse({ type: 'file', path: `${folder}/{topic}.ndjson` })
    const sink = file.open(options, { ...context, topic })
    t.teardown(() => sink.close())
    await sink.resume('source')
    await apply(sink, [put('a', { topic })])
  }
  t.match(await readFile(join(folder, 'orders.ndjson'), 'utf8'), '{"topic":"orders"}')
  t.match(await readFile(join(folder, 'odd%2Fname%25.ndjson'), 'utf8'), 'odd/name%')
})

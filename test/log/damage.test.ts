import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { ReadOnlyLog } from '../../src/log/read-only.ts'
import { put } from '../support/records.ts'
import { all, append, openFor } from './logs.ts'

test('a bit that was flipped is found by whoever reads the block, and named', async (t) => {
  const { log, path, reopen } = await openFor(t)
  await append(log, [put(1, { text: 'here it is' })])
  await append(log, [put(2, { text: 'and more' }, { version: 2 })])
  await log.close()
  const file = join(path, 'log.mdb')
  const bytes = readFileSync(file)
  bytes[bytes.indexOf('here it is')]! ^= 1
  writeFileSync(file, bytes)
  const again = await reopen()
  await t.rejects(all(again, 'orders'), {
    code: 'LOG_CORRUPT',
    message: /a block of topic orders around sequence 1 fails its checksum/,
  })
})

test('a file that was cut off is refused before anything is read from it', async (t) => {
  const { log, path, reopen } = await openFor(t)
  const value = 'x'.repeat(4_000_000)
  await append(log, [put(1, { value })])
  await log.close()
  const file = join(path, 'log.mdb')
  const whole = readFileSync(file)
  truncateSync(file, 1_000_000)
  await t.rejects(openEmbeddedLog({ path }), {
    code: 'LOG_CORRUPT',
    message: /it has 1000000 bytes of at least \d+/,
  })
  t.throws(() => new ReadOnlyLog(path), { code: 'LOG_CORRUPT' })
  writeFileSync(file, Buffer.alloc(100_000, 7))
  await t.rejects(openEmbeddedLog({ path }), { message: /its head is not that of a log/ })
  writeFileSync(file, whole)
  t.equal((await all(await reopen(), 'orders')).length, 1)
})

test('a file that lacks its last pages is read as far as it is whole', async (t) => {
  const { log, path, reopen } = await openFor(t)
  await append(log, [put(1, { text: 'first' })])
  await append(log, [put(2, { text: 'x'.repeat(300_000) }, { version: 2 })])
  await log.close()
  const file = join(path, 'log.mdb')
  truncateSync(file, readFileSync(file).length - 250_000)
  const again = await reopen().catch((error: { code: string }) => error)
  if ('code' in again) t.equal(again.code, 'LOG_CORRUPT')
  else await t.rejects(all(again, 'orders'), { code: 'LOG_CORRUPT' })
})

test('a disk that is full stops the log, says so, and loses nothing', async (t) => {
  const directory = t.testdir({})
  const program = join(import.meta.dirname, 'fixtures', 'fill.ts')
  const limited = 'ulimit -f 3000; exec "$0" "$@"'
  const run = spawnSync('bash', ['-c', limited, process.execPath, program, directory], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const { written, errors } = JSON.parse(run.stdout) as { written: number; errors: string[] }
  t.equal(run.status, 0, run.stderr)
  t.ok(written > 10)
  t.match(errors[0], /^LOG_UNWRITABLE: .*log.mdb cannot be written: .*start again/)
  t.equal(errors[1], errors[0], 'and nothing more is tried')
  const log = await openEmbeddedLog({ path: directory })
  const kept = await all(log, 't')
  t.equal(kept.length, written, 'all that was said to be durable, and no more')
  await append(log, [{ ...put(1, {}), topic: 't' }])
  t.equal((await all(log, 't')).length, written + 1)
  await log.close()
})

test('a disk in memory that is full is named as full', async (t) => {
  const directory = t.testdir({})
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', directory])
  if (mounted.status !== 0) {
    t.comment('this user may not mount a disk')
    return
  }
  try {
    const program = join(import.meta.dirname, 'fixtures', 'fill.ts')
    const printed = execFileSync(process.execPath, [program, join(directory, 'data')], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    t.match(JSON.parse(printed).errors[0], /its disk is full, \d+ bytes are free/)
  } finally {
    execFileSync('umount', [directory])
  }
})

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'tap'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { all, memory } from './logs.ts'

const keys = 50

test('a log that is killed while it is written and compacted holds what was durable', async (t) => {
  const directory = mkdtempSync(join(memory, 'millrace-churn-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (let round = 1; round <= 4; round++) {
    const durable = await churnUntilKilled(directory, 5 + 7 * round)
    const log = await openEmbeddedLog({ path: directory })
    const records = await all(log, 't')
    const { clean } = log.lanes.get('t')!
    await log.close()
    const newest = new Map(records.map(({ key, version }) => [String(Buffer.from(key!)), version]))
    const last = Number(records.at(-1)!.version)
    t.ok(last >= durable, `${last} was reached, ${durable} was said to be durable`)
    t.ok(clean > 0 && records.length < last, `${records.length} records are left of ${last}`)
    const wrong = Array.from({ length: Math.min(keys, last) }, (_, i) => last - i).filter(
      (n) => newest.get(`{"id":${n % keys}}`) !== BigInt(n),
    )
    t.same(wrong, [])
  }
})

/** Kills it after so many lines. Returns the last number that it has printed. */
async function churnUntilKilled(directory: string, lines: number): Promise<number> {
  const program = join(import.meta.dirname, 'fixtures', 'churn.ts')
  const child = spawn(process.execPath, [program, directory], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  let seen = 0
  let last = 0
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line)
    if (++seen === lines) child.kill('SIGKILL')
  }
  await closed
  return last
}

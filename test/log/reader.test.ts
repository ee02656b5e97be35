import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'

/** Where there is a file system in memory: the disk is not what this is about. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

test('following a log commit by commit keeps nothing of what has passed', (t) => {
  const directory = mkdtempSync(join(memory, 'millrace-follow-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const program = join(import.meta.dirname, 'fixtures', 'follow.ts')
  const args = ['--expose-gc', program, directory]
  const printed = execFileSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  const bytesPerCommit = Number(printed)
  t.ok(bytesPerCommit < 50, `${bytesPerCommit} bytes a commit`)
  t.end()
})

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MillraceError } from '../core/errors.ts'

/**
 * Takes the data directory for this process. The lock is SQLite's exclusive file lock, because Node
 * has no other that the kernel releases when a process dies; a file beside it names the holder.
 * Throws `LOG_IN_USE` if another process holds it.
 */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true })
  const holder = join(directory, 'holder')
  const database = new DatabaseSync(join(directory, 'lock'))
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    throw new MillraceError('LOG_IN_USE', `${directory} is in use by process ${read(holder)}.`, {
      cause,
    })
  }
  writeFileSync(holder, String(process.pid))
  return () => database.close()
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return 'unknown'
  }
}

import { access, constants, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Finding } from '../../src/core/plugin.ts'
import type { SqliteOptions } from './options.ts'

const magic = 'SQLite format 3\0'

/** Whether the file can be written, and is a database if it exists. */
export async function* check({ path }: SqliteOptions): AsyncGenerator<Finding> {
  const found = await stat(path).catch(() => undefined)
  if (found !== undefined && !(found.isFile() && (await isDatabase(path, found.size)))) {
    const hint = 'Choose another path; millrace makes the file.'
    yield { level: 'error', what: `${path} is not a SQLite database`, hint }
    return
  }
  // The journal stands beside the file, so its folder must be writable, too.
  for (const place of found === undefined ? [dirname(path)] : [dirname(path), path]) {
    try {
      await access(place, constants.W_OK)
    } catch (error) {
      const hint = 'Make the folder, and grant the right to write to it.'
      yield {
        level: 'error',
        what: `${place} cannot be written: ${(error as Error).message}`,
        hint,
      }
      return
    }
  }
  yield { level: 'ok', what: `${path} can be written` }
}

/** An empty file is one that SQLite will fill. */
async function isDatabase(path: string, size: number): Promise<boolean> {
  if (size === 0) return true
  const file = await open(path, 'r').catch(() => undefined)
  if (file === undefined) return true
  try {
    const { buffer } = await file.read(Buffer.alloc(magic.length), 0, magic.length, 0)
    return buffer.toString('latin1') === magic
  } finally {
    await file.close()
  }
}

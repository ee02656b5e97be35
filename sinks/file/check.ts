import { access, constants, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Finding } from '../../src/core/plugin.ts'
import type { FileOptions } from './options.ts'

/** Whether the file can be written where it shall stand. */
export async function* check({ path }: FileOptions): AsyncGenerator<Finding> {
  if (path === '-') return
  const found = await stat(path).catch(() => undefined)
  if (found !== undefined && !found.isFile()) {
    yield { level: 'error', what: `${path} is not a file`, hint: 'Choose another path.' }
    return
  }
  const place = found === undefined ? dirname(path) : path
  try {
    await access(place, constants.W_OK)
    yield { level: 'ok', what: `${path} can be written` }
  } catch (error) {
    const hint = 'Make the folder, and grant the right to write to it.'
    yield { level: 'error', what: `${place} cannot be written: ${(error as Error).message}`, hint }
  }
}

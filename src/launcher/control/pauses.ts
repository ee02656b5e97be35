/*
 * Which connectors and sinks an operator has paused, and since when: `paused.json` in the data
 * directory, so that a restart starts none of them. It may be missing: none was ever paused.
 *
 *   {"v":1,"sinks":{"search":"2025-01-02T03:04:05.678Z"},"connectors":{}}
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CommandFailure } from '../exit.ts'

const times = z.record(z.string(), z.string())
const format = z.strictObject({ v: z.literal(1), sinks: times, connectors: times.default({}) })

type PauseFile = z.output<typeof format>
type Paused = 'sinks' | 'connectors'

/** Since when each is paused, by name. */
export function readPauses(directory: string, what: Paused): Map<string, string> {
  return new Map(Object.entries(readPauseFile(directory)[what]))
}

/** Notes since when these are paused; null: they no longer are. Durable once it returns. */
export function savePause(
  directory: string,
  what: Paused,
  names: readonly string[],
  since: string | null,
): void {
  const pauses = readPauses(directory, what)
  for (const name of names) {
    if (since === null) pauses.delete(name)
    else pauses.set(name, since)
  }
  const path = join(directory, 'paused.json')
  const pausedNow = { ...readPauseFile(directory), [what]: Object.fromEntries(pauses) }
  const file = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(file, `${JSON.stringify(pausedNow)}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
  const folder = openSync(directory, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function readPauseFile(directory: string): PauseFile {
  const path = join(directory, 'paused.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return { v: 1, sinks: {}, connectors: {} }
    }
    throw error
  }
  try {
    return format.parse(JSON.parse(text))
  } catch {
    throw new CommandFailure(`${path} is not of this version: remove it, and pause again`)
  }
}

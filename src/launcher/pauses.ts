/*
 * Which sinks an operator has paused, and since when: `paused.json` in the data directory, so that
 * a restart starts none of them. It may be missing: none was ever paused.
 *
 *   {"v":1,"sinks":{"search":"2025-01-02T03:04:05.678Z"}}
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CommandFailure } from './exit.ts'

const format = z.strictObject({
  v: z.literal(1),
  sinks: z.record(z.string(), z.string()),
})

export type Pauses = ReadonlyMap<string, string>

export function readPauses(directory: string): Pauses {
  const path = join(directory, 'paused.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw error
  }
  try {
    return new Map(Object.entries(format.parse(JSON.parse(text)).sinks))
  } catch {
    throw new CommandFailure(`${path} is not of this version: remove it, and pause sinks again`)
  }
}

/** Durable once it returns. */
export function savePauses(directory: string, pauses: Pauses): void {
  const path = join(directory, 'paused.json')
  const file = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(file, `${JSON.stringify({ v: 1, sinks: Object.fromEntries(pauses) })}\n`)
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

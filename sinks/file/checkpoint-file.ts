/*
 * `<path>.checkpoint`, beside the data: one line of JSON,
 *
 *   {"length":…,"tail":…,"checkpoint":…}
 *
 * where the data ended when the checkpoint was written, and a digest of the last bytes before that
 * end, by which a file that was replaced by another is told from ours.
 */
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { z } from 'zod'
import {
  decodeCheckpoint,
  encodeCheckpoint,
  type StoredCheckpoint,
} from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'

export interface Saved {
  readonly length: number
  readonly tail: string
  readonly checkpoint: StoredCheckpoint
}

/** How many bytes before the end are digested. */
export const tailBytes = 4096

export function digestTail(tail: Uint8Array): string {
  return createHash('sha256').update(tail).digest('hex').slice(0, 32)
}

/** `undefined` if there is none. */
export function loadCheckpoint(path: string): Saved | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const { length, tail, checkpoint } = parse(text, path)
  return { length, tail, checkpoint: decodeCheckpoint(JSON.stringify(checkpoint), path) }
}

/** Durable once it returns, and whole at every moment: written aside, then renamed into place. */
export function saveCheckpoint(path: string, { length, tail, checkpoint }: Saved): void {
  const text = `{"length":${length},"tail":"${tail}","checkpoint":${encodeCheckpoint(checkpoint)}}\n`
  const aside = `${path}.new`
  writeDurably(aside, text)
  renameSync(aside, path)
  syncFolder(dirname(path))
}

const saved = z.strictObject({ length: z.int(), tail: z.string(), checkpoint: z.unknown() })

function parse(text: string, path: string): z.infer<typeof saved> {
  try {
    return saved.parse(JSON.parse(text))
  } catch (cause) {
    const fact = `${path} is not a checkpoint of this version. Remove it to write the file again.`
    throw new MillraceError('TARGET_MISCONFIGURED', fact, { cause })
  }
}

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'w')
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** A renamed file survives a power cut only once its folder is synced. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

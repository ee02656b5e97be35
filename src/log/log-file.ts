import {
  closeSync,
  existsSync,
  openSync,
  readSync,
  statfsSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { MillraceError } from '../core/errors.ts'

/*
 * LMDB trusts its file: where that is damaged or cut off the process dies without a word. So its
 * head is read before LMDB does. The file begins with two pages of metadata, of which the one with
 * the greater transaction counts; at these places of a page stand (in lmdb-js 3, little-endian):
 */
const magicAt = 24
const pageSizeAt = 48
const lastPageAt = 144
const transactionAt = 152

const magic = 0xbeefc0de
const headBytes = 160

/** The last pages of a file may never have been written, if they were freed at once. */
const slackBytes = 1024 * 1024

/** Throws LOG_CORRUPT unless the file can be a log as LMDB left it. */
export function checkLogFile(path: string, readOnly: boolean): void {
  const size = existsSync(path) ? statSync(path).size : 0
  if (size === 0) return
  const needed = neededBytes(path)
  if (needed === undefined) throw damaged(path, 'its head is not that of a log')
  if (size >= needed) return
  if (size + slackBytes < needed) throw damaged(path, `it has ${size} bytes of at least ${needed}`)
  if (!readOnly) truncateSync(path, needed)
}

function neededBytes(path: string): number | undefined {
  const file = openSync(path, 'r')
  try {
    const first = readHead(file, 0)
    const pageSize = first?.readUInt32LE(pageSizeAt) ?? 0
    const second = readHead(file, pageSize)
    if (first === undefined || second === undefined) return undefined
    const [older, newer] = [first, second].sort((a, b) => transactionOf(a) - transactionOf(b))
    return Number((newer ?? older!).readBigUInt64LE(lastPageAt) + 1n) * pageSize
  } finally {
    closeSync(file)
  }
}

function readHead(file: number, at: number): Buffer | undefined {
  const head = Buffer.alloc(headBytes)
  const read = readSync(file, head, 0, headBytes, at)
  return read === headBytes && head.readUInt32LE(magicAt) === magic ? head : undefined
}

function transactionOf(head: Buffer): number {
  return Number(head.readBigUInt64LE(transactionAt))
}

function damaged(path: string, why: string): MillraceError {
  return new MillraceError('LOG_CORRUPT', `${path} is damaged: ${why}.`)
}

/** What LMDB says of pages that cannot be what they should be. */
const corruptionCodes: readonly unknown[] = [-30796, -30797]

/** Runs a look into the log. Throws LOG_CORRUPT if LMDB finds its pages damaged. */
export function orCorrupt<T>(what: string, look: () => T): T {
  try {
    return look()
  } catch (error) {
    if (!corruptionCodes.includes((error as { readonly code?: unknown }).code)) throw error
    const message = `The log is damaged where ${what} is: ${(error as Error).message}.`
    throw new MillraceError('LOG_CORRUPT', message, { cause: error })
  }
}

/** Less than this is a full disk: LMDB writes some pages at a time. */
const fullBytes = 4 * 1024 * 1024

/** Why a transaction could not be made durable, in words for people. */
export async function unwritable(path: string, error: unknown): Promise<MillraceError> {
  const { commitError } = error as { readonly commitError?: Promise<never> }
  const cause = await (commitError ?? Promise.reject(error)).catch((cause: unknown) => cause)
  const { bavail, bsize } = statfsSync(dirname(path))
  const isFull = bavail * bsize < fullBytes
  const { message } = cause as Error
  const why = isFull ? `its disk is full, ${bavail * bsize} bytes are free` : message
  return new MillraceError('LOG_UNWRITABLE', `${path} cannot be written: ${why}.`, { cause })
}

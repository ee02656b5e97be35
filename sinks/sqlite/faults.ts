import { type ErrorCode, MillraceError } from '../../src/core/errors.ts'

/** Who has to act on an error of SQLite, by its primary result code. */
const codes: Readonly<Record<number, ErrorCode>> = {
  3: 'ACCESS_DENIED', // PERM
  5: 'TARGET_BUSY', // BUSY
  6: 'TARGET_BUSY', // LOCKED
  8: 'TARGET_BLOCKED', // READONLY
  10: 'TARGET_BLOCKED', // IOERR
  11: 'TARGET_MISCONFIGURED', // CORRUPT
  13: 'TARGET_BLOCKED', // FULL
  14: 'TARGET_MISCONFIGURED', // CANTOPEN
  17: 'TARGET_CHANGED', // SCHEMA
  26: 'TARGET_MISCONFIGURED', // NOTADB
}

/** The user's error behind an error of SQLite; anything else comes back as it is. */
export function faultOf(error: unknown, path: string): unknown {
  const code = codes[resultCode(error) & 0xff]
  if (code === undefined) return error
  const { message } = error as Error
  return new MillraceError(code, `Cannot write ${path}: ${message}.`, { cause: error })
}

function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0
}

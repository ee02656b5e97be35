import { type ErrorCode, MillraceError } from '../../src/core/errors.ts'

/** Who has to act on an error of the file system. */
const codes: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'ACCESS_DENIED',
  EPERM: 'ACCESS_DENIED',
  EROFS: 'TARGET_BLOCKED',
  ENOSPC: 'TARGET_BLOCKED',
  EDQUOT: 'TARGET_BLOCKED',
  EFBIG: 'TARGET_BLOCKED',
  EIO: 'TARGET_BLOCKED',
  ENOENT: 'TARGET_MISCONFIGURED',
  ENOTDIR: 'TARGET_MISCONFIGURED',
  EISDIR: 'TARGET_MISCONFIGURED',
}

/** The user's error behind an error of the file system; anything else comes back as it is. */
export function faultOf(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof MillraceError) return error
  const code = codes[(error as NodeJS.ErrnoException).code ?? '']
  if (code === undefined) return error
  return new MillraceError(code, `Cannot write ${path}: ${error.message}.`, { cause: error })
}

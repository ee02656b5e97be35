import { type ErrorCode, MillraceError } from '../../src/core/errors.ts'

/** Who has to act, by the SQLSTATE or its class. */
const codes: Readonly<Record<string, ErrorCode>> = {
  '08': 'CONNECTION_LOST',
  '0A': 'TARGET_MISCONFIGURED',
  '25': 'CONNECTION_LOST', // Also a transaction that the server has given up.
  '25006': 'TARGET_BLOCKED', // A server that only reads.
  '28': 'ACCESS_DENIED',
  '3D': 'TARGET_MISCONFIGURED',
  '3F': 'TARGET_MISCONFIGURED',
  '40': 'TARGET_BUSY',
  '42': 'TARGET_MISCONFIGURED',
  '42703': 'TARGET_BUSY', // Another partition's instance has changed the columns: look again.
  '42804': 'TARGET_BUSY',
  '42501': 'ACCESS_DENIED',
  '42P01': 'TARGET_CHANGED', // A table of ours is gone.
  '53': 'TARGET_BLOCKED',
  '53300': 'TARGET_BUSY', // Too many connections.
  '54': 'TARGET_MISCONFIGURED', // More columns than a table can have.
  '55': 'TARGET_BUSY',
  '57': 'CONNECTION_LOST', // Shutting down, starting up.
  '57014': 'TARGET_BUSY',
  '58': 'TARGET_BLOCKED', // Its files cannot be read or written.
  XX: 'SERVER_ERROR',
}

/** The user's error behind one of the driver's; a bug of ours comes back as it is. */
export function faultOf(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof MillraceError) return error
  const state = sqlState(error)
  const isDriver = state === undefined && !(error instanceof TypeError)
  const code = isDriver ? 'CONNECTION_LOST' : (codes[state!] ?? codes[String(state).slice(0, 2)])
  if (code === undefined) return error
  return new MillraceError(code, `PostgreSQL at ${place}: ${error.message}.`, { cause: error })
}

/** Whether a row is at fault: a column, a constraint or a trigger does not take it. */
export function isDataFault(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && /^(22|23|44|54|P0)/.test(state)
}

/** Five letters; what the network says has other codes. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

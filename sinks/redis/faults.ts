import { type ErrorCode, MillraceError } from '../../src/core/errors.ts'

/** Who has to act, by the first word of what the server says. */
const codes: Readonly<Record<string, ErrorCode>> = {
  OOM: 'TARGET_BLOCKED',
  MISCONF: 'TARGET_BLOCKED',
  NOREPLICAS: 'TARGET_BLOCKED',
  NOPERM: 'ACCESS_DENIED',
  NOAUTH: 'ACCESS_DENIED',
  WRONGPASS: 'ACCESS_DENIED',
  // The primary is another server now: a new connection may find it.
  READONLY: 'CONNECTION_LOST',
  UNBLOCKED: 'CONNECTION_LOST',
  LOADING: 'TARGET_BUSY',
  BUSY: 'TARGET_BUSY',
  MASTERDOWN: 'TARGET_BUSY',
  CLUSTERDOWN: 'TARGET_BUSY',
  TRYAGAIN: 'TARGET_BUSY',
  MOVED: 'TARGET_MISCONFIGURED',
  ASK: 'TARGET_MISCONFIGURED',
  FAILOVER: 'CONNECTION_LOST',
  CROSSSLOT: 'TARGET_MISCONFIGURED',
  WRONGTYPE: 'TARGET_MISCONFIGURED',
}

/** What has no word of its own: `ERR` and a sentence, which servers phrase differently. */
const sentences: readonly (readonly [RegExp, ErrorCode])[] = [
  [/user executing the script can't|ACL failure in script/, 'ACCESS_DENIED'],
  [/invalid password|^ERR AUTH /, 'ACCESS_DENIED'],
  [/max number of clients/, 'TARGET_BUSY'],
  [
    /[Uu]nknown (Redis )?command|DB index is out of range|SELECT is not allowed/,
    'TARGET_MISCONFIGURED',
  ],
]

/** The user's error behind one of the client's; what is a bug of ours comes back as it is. */
export function faultOf(error: unknown, server: string): unknown {
  if (!(error instanceof Error) || error instanceof MillraceError) return error
  const code = isReply(error) ? replyCode(error.message) : 'CONNECTION_LOST'
  if (code === undefined) return error
  const what = error.message.replace(/ script: .*$/s, '').slice(0, 300)
  return new MillraceError(code, `Redis at ${server}: ${what.replace(/\.?$/, '.')}`, {
    cause: error,
  })
}

/** Where a cluster sends a call, or that it is to be sent again. */
export interface Redirect {
  readonly kind: 'moved' | 'ask' | 'again'
  readonly address: string
}

/** Reads a redirection out of the error that `faultOf` has made of it. */
export function redirectOf(error: unknown): Redirect | undefined {
  const cause = error instanceof MillraceError ? error.cause : undefined
  const text = cause instanceof Error ? cause.message : ''
  const [word, , address = ''] = text.split(' ')
  if (word === 'MOVED') return { kind: 'moved', address }
  if (word === 'ASK') return { kind: 'ask', address }
  return word === 'TRYAGAIN' || word === 'CLUSTERDOWN' ? { kind: 'again', address } : undefined
}

export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

function isReply(error: Error): boolean {
  return error.name === 'ReplyError'
}

function replyCode(message: string): ErrorCode | undefined {
  const code = codes[message.split(' ', 1)[0]!]
  if (code !== undefined) return code
  return sentences.find(([sentence]) => sentence.test(message))?.[1]
}

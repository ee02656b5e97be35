import { readFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { z } from 'zod'
import { MillraceError } from './errors.ts'
import { secret } from './secret.ts'

/** How a connection is secured: libpq's words. `allow` is taken for `prefer`. */
const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

export type SslMode = (typeof sslModes)[number]

/** The options of whoever connects to PostgreSQL; each goes before what the URL says. */
export const tlsShape = {
  'database.sslmode': z
    .enum(sslModes)
    .optional()
    .describe(
      'How the connection is secured, as libpq has it. Default: verify-full; on this machine prefer.',
    ),
  'database.sslrootcert': z
    .string()
    .min(1)
    .optional()
    .describe('File with the authority of the server’s certificate. Default: those Node knows.'),
  'database.sslcert': z.string().min(1).optional().describe('File with our own certificate.'),
  'database.sslkey': z.string().min(1).optional().describe('File with the key of it.'),
  'database.sslpassword': secret('Password of that key.').optional(),
} as const

const options = z.object(tlsShape)

/** The URL that holds what the options say of TLS, so that whoever connects needs no more. */
export function urlOf(given: z.output<typeof options> & { readonly url: string }): string {
  return withTls(given.url, {
    sslmode: given['database.sslmode'],
    sslrootcert: given['database.sslrootcert'],
    sslcert: given['database.sslcert'],
    sslkey: given['database.sslkey'],
    sslpassword: given['database.sslpassword'],
  })
}

/** What a URL says of TLS, under libpq's names. Files are paths. */
interface TlsSettings {
  readonly mode: SslMode | undefined
  readonly rootCertificate?: string | undefined
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  readonly keyPassword?: string | undefined
  readonly negotiation?: string | undefined
}

/** The URL's parameters that are ours to read; `pg` understands some of them otherwise. */
const parameters = [
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslnegotiation',
  'ssl',
  'uselibpqcompat',
]

/** Takes what concerns TLS out of a URL. */
export function splitTls(url: string): { readonly bare: string; readonly tls: TlsSettings } {
  const at = url.indexOf('?')
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
  const tls = {
    mode: modeOf(query),
    rootCertificate: query.get('sslrootcert') ?? undefined,
    certificate: query.get('sslcert') ?? undefined,
    key: query.get('sslkey') ?? undefined,
    keyPassword: query.get('sslpassword') ?? undefined,
    negotiation: query.get('sslnegotiation') ?? undefined,
  }
  for (const name of parameters) query.delete(name)
  const rest = query.size === 0 ? '' : `?${query}`
  return { bare: (at < 0 ? url : url.slice(0, at)) + rest, tls }
}

/** What is needed to open a connection as a URL asks for it. */
export interface Opening {
  /** The URL without what concerns TLS. */
  readonly url: string
  readonly ssl: ConnectionOptions | false
  /** For `sslnegotiation` of `pg`. */
  readonly negotiation: string | undefined
}

/** Whom a URL leads to: `where` is for people. */
export interface Server {
  readonly host: string
  readonly where: string
}

/**
 * Opens a connection with as much TLS as the URL asks for; without, where TLS is only preferred and
 * the server has none. What goes wrong with TLS is thrown with the way out, all else as it is.
 */
export async function openSecured<T>(
  url: string,
  { host, where }: Server,
  open: (opening: Opening) => Promise<T>,
): Promise<T> {
  const { bare, tls } = splitTls(url)
  const mode = effectiveMode(tls, host)
  const ssl = host.startsWith('/') ? false : tlsOptions(tls, mode)
  const { negotiation } = tls
  try {
    return await open({ url: bare, ssl, negotiation }).catch((error: unknown) => {
      if (mode !== 'prefer' || !lacksTls(error)) throw error
      return open({ url: bare, ssl: false, negotiation })
    })
  } catch (error) {
    throw tlsFault(error, where, mode) ?? error
  }
}

/** A URL with more said of TLS: an option that is given goes before what stands in the URL. */
export function withTls(url: string, given: Readonly<Record<string, string | undefined>>): string {
  const at = url.indexOf('?')
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
  let changed = false
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    query.set(name, value)
    changed = true
  }
  return changed ? `${at < 0 ? url : url.slice(0, at)}?${query}` : url
}

function modeOf(query: URLSearchParams): SslMode | undefined {
  const mode = query.get('sslmode') ?? fromSsl(query.get('ssl'))
  if (mode === null || mode === undefined) return undefined
  const known = sslModes.find((each) => each === mode)
  if (known !== undefined) return known
  if (mode === 'no-verify') return 'require'
  const message = `sslmode must be one of ${sslModes.join(', ')}, not ${mode}.`
  throw new MillraceError('CONFIG_INVALID', message)
}

/** `ssl=true` and its kin, as `pg` has them. */
function fromSsl(ssl: string | null): string | null {
  if (ssl === 'true' || ssl === '1') return 'verify-full'
  if (ssl === 'false' || ssl === '0') return 'disable'
  return ssl
}

/** What never leaves this machine need not be encrypted; all else must know whom it talks to. */
export function effectiveMode({ mode, rootCertificate }: TlsSettings, host: string): SslMode {
  if (mode === undefined) return isLoopback(host) ? 'prefer' : 'verify-full'
  if (mode === 'allow') return 'prefer'
  // As in libpq: who names an authority wants it to be asked.
  return mode === 'require' && rootCertificate !== undefined ? 'verify-ca' : mode
}

/** An address of this machine, or a folder with a Unix socket. */
export function isLoopback(host: string): boolean {
  if (host === '' || host.startsWith('/') || host === 'localhost' || host === '::1') return true
  return host.endsWith('.localhost') || (isIPv4(host) && host.startsWith('127.'))
}

/** What Node's TLS is to do in a mode; `false`: nothing is encrypted. */
export function tlsOptions(settings: TlsSettings, mode: SslMode): ConnectionOptions | false {
  if (mode === 'disable') return false
  const verifies = mode === 'verify-ca' || mode === 'verify-full'
  const { rootCertificate, certificate, key, keyPassword } = settings
  const hasOwnRoot = rootCertificate !== undefined && rootCertificate !== 'system'
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: verifies,
    ...(mode === 'verify-ca' && { checkServerIdentity: () => undefined }),
    ...(verifies && hasOwnRoot && { ca: readPem(rootCertificate, 'sslrootcert') }),
    ...(certificate !== undefined && { cert: readPem(certificate, 'sslcert') }),
    ...(key !== undefined && { key: readPem(key, 'sslkey') }),
    ...(keyPassword !== undefined && { passphrase: keyPassword }),
  }
}

function readPem(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const message = `The file ${path} of ${name} cannot be read (${code}).`
    throw new MillraceError('CONFIG_INVALID', message, { cause })
  }
}

/** What `pg` says when the server answers the wish for TLS with no. */
function lacksTls(error: unknown): boolean {
  return error instanceof Error && /does not support SSL connections/.test(error.message)
}

/** What went wrong with TLS, with the way out; `undefined` if it was something else. */
function tlsFault(error: unknown, where: string, mode: SslMode): MillraceError | undefined {
  const fault = (message: string) =>
    new MillraceError('TARGET_MISCONFIGURED', message, { cause: error })
  if (lacksTls(error)) {
    return fault(
      `Postgres at ${where} does not speak TLS, but database.sslmode is ${mode} (the default for ` +
        'another machine is verify-full). Set ssl = on at the server; or, where nobody can listen, ' +
        'database.sslmode: disable, which sends the password and all rows in the clear.',
    )
  }
  const { code = '', message = '' } = error as { code?: string; message?: string }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return fault(
      `The certificate of Postgres at ${where} is for another name: ${message} Use the name that ` +
        'it is for, or database.sslmode: verify-ca if the authority signs for this server only.',
    )
  }
  if (unverified.test(code)) {
    return fault(
      `The certificate of Postgres at ${where} cannot be trusted: ${message} (${code}). Name the ` +
        'file of the authority that signed it with database.sslrootcert.',
    )
  }
  if (/^ERR_(SSL|TLS|OSSL)_/.test(code)) {
    return fault(`TLS with Postgres at ${where} fails: ${message} (${code}).`)
  }
  return undefined
}

/** OpenSSL's words for a chain that does not end at an authority we know, or is out of date. */
const unverified = new RegExp(
  '^(DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|CERT_|CRL_|INVALID_CA|' +
    'PATH_LENGTH|HOSTNAME_MISMATCH)',
)

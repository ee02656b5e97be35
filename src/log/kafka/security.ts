import { readFileSync } from 'node:fs'
import type { ConnectionOptions as TlsConnection } from 'node:tls'
import type { SASLOptions } from '@platformatic/kafka'
import { MillraceError } from '../../core/errors.ts'
import type { SaslOptions, TlsOptions } from './options.ts'

/** What Node's TLS needs to know. Throws CONFIG_INVALID if a file cannot be read. */
export function tlsOf(options: TlsOptions): TlsConnection {
  const { ca, certificate, key, passphrase, serverName, insecure } = options
  return {
    rejectUnauthorized: !insecure,
    ...(ca && { ca: read(ca) }),
    ...(certificate && { cert: read(certificate) }),
    ...(key && { key: read(key) }),
    ...(passphrase && { passphrase }),
    ...(serverName && { servername: serverName }),
  }
}

/** A token is read anew for every connection, as such tokens expire. */
export function saslOf(options: SaslOptions): SASLOptions {
  if (options.mechanism !== 'OAUTHBEARER') return options
  const { token, tokenFile } = options
  return {
    mechanism: 'OAUTHBEARER',
    token: tokenFile === undefined ? (token ?? '') : () => read(tokenFile).trim(),
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new MillraceError('CONFIG_INVALID', `${file} cannot be read.`, { cause })
  }
}

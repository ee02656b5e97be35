import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type ConnectionOptions, connect } from 'node:tls'
import { MillraceError } from '../../src/core/errors.ts'
import type { TlsOptions } from './options.ts'

/** What node:tls needs to trust `host`, and nobody else. */
export async function tlsOptions(options: TlsOptions, url: URL): Promise<ConnectionOptions> {
  const { ca, caFingerprint, insecure } = options
  const shown = ownCertificate(options)
  if (insecure) return { ...shown, rejectUnauthorized: false }
  if (caFingerprint !== undefined) {
    // With the certificate of that fingerprint as the only authority, OpenSSL checks the rest.
    return { ...shown, ca: await authority(url, caFingerprint), allowPartialTrustChain: true }
  }
  return ca === undefined ? shown : { ...shown, ca: read('ca', ca) }
}

/** What this client shows of itself, where the server asks for it. */
function ownCertificate({ cert, key, passphrase }: TlsOptions): ConnectionOptions {
  if (cert === undefined || key === undefined) return {}
  return { cert: read('cert', cert), key: read('key', key), ...(passphrase && { passphrase }) }
}

function read(option: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    const what = `The file tls.${option} cannot be read: ${file}.`
    throw new MillraceError('CONFIG_INVALID', what, { cause })
  }
}

/** Fetches the chain of certificates, sends nothing, and returns the one with the fingerprint. */
async function authority(url: URL, fingerprint: string): Promise<string> {
  const wanted = fingerprint.replaceAll(':', '').toUpperCase()
  const chain = await chainOf(url)
  const found = chain.find(({ fingerprint256 }) => fingerprint256.replaceAll(':', '') === wanted)
  if (found !== undefined) return found.toString()
  throw new MillraceError(
    'TARGET_MISCONFIGURED',
    `${url.host} shows no certificate with the fingerprint of tls.caFingerprint.`,
  )
}

function chainOf({ hostname, port }: URL): Promise<X509Certificate[]> {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate[]>()
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: Number(port || 443),
    servername: serverName(host),
    rejectUnauthorized: false,
  })
  socket.setTimeout(10_000, () => socket.destroy(new Error('no TLS handshake within 10 s')))
  socket.once('error', reject)
  socket.once('secureConnect', () => {
    const chain: X509Certificate[] = []
    let certificate = socket.getPeerCertificate(true)
    while (certificate?.raw !== undefined) {
      chain.push(new X509Certificate(certificate.raw))
      if (certificate.issuerCertificate === certificate) break
      certificate = certificate.issuerCertificate
    }
    socket.destroy()
    resolve(chain)
  })
  return promise
}

/** An IP address must not be sent as a server name. */
function serverName(host: string): string {
  return /^[\d.]+$|:/.test(host) ? '' : host
}

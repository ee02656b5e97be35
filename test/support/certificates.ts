import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** A certificate with its key, both as PEM. */
export interface Certificate {
  readonly pem: string
  readonly key: string
  readonly name: string
  readonly privateKey: KeyObject
}

/** An authority of our own, for one test. */
export function makeAuthority(name: string): Certificate {
  return make(name, undefined, [extension('551d13', [tlv(0x30, Buffer.from('0101ff', 'hex'))])])
}

/** A certificate that an authority has signed; for a server, with the names that it is for. */
export function makeCertificate(
  name: string,
  authority: Certificate,
  hosts: readonly string[] = [],
): Certificate {
  const names = hosts.map((host) => tlv(0x82, Buffer.from(host)))
  return make(
    name,
    authority,
    hosts.length === 0 ? [] : [extension('551d11', [tlv(0x30, ...names)])],
  )
}

// Certificate: SEQUENCE { tbs, algorithm, signature }; the numbers are DER's tags and OIDs.
function make(
  name: string,
  authority: Certificate | undefined,
  extensions: readonly Buffer[],
): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = tlv(0x30, oid('2a8648ce3d040302'))
  const tbs = tlv(
    0x30,
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguished(authority?.name ?? name),
    tlv(0x30, tlv(0x17, Buffer.from('200101000000Z')), tlv(0x17, Buffer.from('491231235959Z'))),
    distinguished(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [tlv(0xa3, tlv(0x30, ...extensions))]),
  )
  const signature = sign('sha256', tbs, authority?.privateKey ?? privateKey)
  const whole = tlv(0x30, tbs, algorithm, tlv(0x03, Buffer.from([0]), signature))
  const lines = whole.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')
  const pem = `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  return { pem, key, name, privateKey }
}

function distinguished(name: string): Buffer {
  return tlv(0x30, tlv(0x31, tlv(0x30, oid('550403'), tlv(0x0c, Buffer.from(name)))))
}

function extension(id: string, value: readonly Buffer[]): Buffer {
  return tlv(0x30, oid(id), tlv(0x04, ...value))
}

function oid(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, 'hex'))
}

function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts)
  const { length } = value
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...head]), value])
}

import { writeBase64 } from './base64.ts'
import type { ValueEncoder } from './encoder.ts'

/*
 * geometry and geography arrive as hex of PostGIS's extended well-known binary: byte order, type
 * with flags, then the SRID if the flag says so.
 */

const hasSrid = 0x20000000

/** `{"wkb":"…","srid":3187}`: the extended binary in base64; without an SRID null. */
export const encodePostgis: ValueEncoder = (out, input, start, end) => {
  const bytes = Buffer.from(input.toString('latin1', start, end), 'hex')
  out.ascii('{"wkb":"')
  writeBase64(out, bytes)
  out.ascii(`","srid":${sridOf(bytes)}}`)
}

function sridOf(bytes: Buffer): number | null {
  const littleEndian = bytes[0] === 1
  const type = littleEndian ? bytes.readUInt32LE(1) : bytes.readUInt32BE(1)
  if ((type & hasSrid) === 0) return null
  return littleEndian ? bytes.readInt32LE(5) : bytes.readInt32BE(5)
}

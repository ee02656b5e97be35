/*
 * Confluent's wire format: a zero, the schema's id as a big-endian u32, and the encoded value.
 */
const magic = 0
const headBytes = 5

export function frame(id: number, body: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(headBytes + body.length)
  framed[0] = magic
  framed.writeUInt32BE(id, 1)
  framed.set(body, headBytes)
  return framed
}

/** Throws RangeError if the bytes were not written in this format. */
export function unframe(bytes: Uint8Array): { readonly id: number; readonly body: Buffer } {
  const framed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (!isFramed(framed)) {
    throw new RangeError('the bytes name no schema of a registry')
  }
  return { id: framed.readUInt32BE(1), body: framed.subarray(headBytes) }
}

export function isFramed(bytes: Uint8Array): boolean {
  return bytes.length >= headBytes && bytes[0] === magic
}

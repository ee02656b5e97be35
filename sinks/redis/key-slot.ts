import { hasHashTag } from '../../src/core/companion-key.ts'

export const slotCount = 16_384

/** The slot of a cluster in which a key lies: CRC16 of the hash tag, else of the whole key. */
export function keySlot(key: string): number {
  const open = key.indexOf('{')
  const hashed = hasHashTag(key) ? key.slice(open + 1, key.indexOf('}', open + 1)) : key
  let crc = 0
  for (const byte of Buffer.from(hashed)) crc = ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ byte]!
  return crc % slotCount
}

/** CRC-16/XMODEM, byte by byte. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff
  return crc
})

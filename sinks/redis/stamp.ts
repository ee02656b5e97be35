import { stampLength } from './scripts.ts'

/** What a stamp says of a document's state; scripts.ts has the format. */
export interface Stamp {
  readonly version: bigint
  readonly deleted: boolean
  readonly owner: string
}

/** `undefined` if the text is no stamp. */
export function readStamp(text: string): Stamp | undefined {
  if (text.length !== stampLength || !/^\d{30}[ud]/.test(text)) return undefined
  return { version: BigInt(text.slice(0, 20)), deleted: text[30] === 'd', owner: text.slice(38) }
}

/*
 * Who a database is, beside its server's run id, and what was last written into it. A flush, or
 * another database, has no marker, or not ours.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { MillraceError } from '../../src/core/errors.ts'
import type { KeyTemplate } from './keys.ts'

const format = z.strictObject({
  v: z.literal(1),
  id: z.string(),
  template: z.string(),
  prefix: z.string(),
})

export type Marker = z.infer<typeof format>

/** The marker that shall be there: the one found if any, with the template as it is now. */
export function markerFor(found: Marker | undefined, { template, prefix }: KeyTemplate): Marker {
  return { v: 1, id: found?.id ?? randomUUID(), template, prefix }
}

export function encodeMarker({ v, id, template, prefix }: Marker): string {
  return JSON.stringify({ v, id, template, prefix })
}

/** Throws TARGET_MISCONFIGURED on anything that `encodeMarker` has not written. */
export function decodeMarker(text: string, key: string): Marker {
  const parsed = format.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw new MillraceError(
    'TARGET_MISCONFIGURED',
    `The key ${key} holds no marker of this version: ${text.slice(0, 80)}. Remove it to fill Redis again.`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/*
 * Who a database is, beside its servers' run ids, and what was last written into it. A flush, or
 * another database, has no marker, or not ours.
 */
import { z } from 'zod'
import { MillraceError } from '../../src/core/errors.ts'

const format = z.strictObject({
  v: z.literal(2),
  /** Random. */
  id: z.string(),
  /** What was written, and where: `Form.layout` and `Form.prefixes`. */
  layout: z.string(),
  prefixes: z.array(z.string()),
  /** How often the sink has begun to fill Redis. */
  generation: z.int(),
  /** When it began, in ms since 1970; `null`: it has ended, and what was left over is swept. */
  filling: z.number().nullable(),
  /** When the sink first wrote here, in ms since 1970. */
  since: z.number(),
  /** Hash tags of the markers on the shards of a cluster. */
  shards: z.array(z.string()),
})

export type Marker = Readonly<z.infer<typeof format>>

export function encodeMarker(marker: Marker): string {
  const { v, id, layout, prefixes, generation, filling, since, shards } = marker
  return JSON.stringify({ v, id, layout, prefixes, generation, filling, since, shards })
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

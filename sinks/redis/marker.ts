/*
 * Who a database is, beside its servers' run ids, and what was last written into it. A flush, or
 * another database, has no marker, or not ours.
 */
import { randomInt, randomUUID } from 'node:crypto'
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

/** What the first builds wrote, whose stamps had `key:7 owner:6` at their end. */
const earlier = z.strictObject({
  v: z.literal(1),
  id: z.string(),
  template: z.string(),
  prefix: z.string(),
})

/**
 * Reads what `encodeMarker` has written. What an earlier build has written becomes a marker that no
 * checkpoint names, so that Redis is filled again, over what is there. Throws TARGET_MISCONFIGURED
 * on anything else.
 */
export function decodeMarker(text: string, key: string): Marker {
  const json = parseJson(text)
  const parsed = format.safeParse(json)
  if (parsed.success) return parsed.data
  const old = earlier.safeParse(json)
  if (old.success) return upgraded(old.data)
  throw new MillraceError(
    'TARGET_MISCONFIGURED',
    `The key ${key} holds no marker of this version, but perhaps one of a later build: ${text.slice(0, 80)}. Run that build, or remove the key to fill Redis again.`,
  )
}

function upgraded({ template, prefix }: z.infer<typeof earlier>): Marker {
  return {
    ...{ v: 2, id: randomUUID(), layout: template, prefixes: [prefix] },
    ...{ generation: randomInt(2 ** 31), filling: Date.now(), since: Date.now(), shards: [] },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

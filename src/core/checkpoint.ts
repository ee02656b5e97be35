/*
 * A sink's checkpoint as it is stored in the target, beside the data:
 *
 *   <pipeline>/<sink>/<topic>/<partition>
 *   {"v":1,"source":…,"position":…,"timestamp":…,"epoch":…,"target":…,"config":…,"sweep":…}
 *
 * Ownership: whoever resumes *claims* the checkpoint by writing it back with the epoch raised by
 * one, and every later commit replaces exactly what this owner wrote last (compare-and-set). So an
 * owner learns before it writes that another has taken over (a greater epoch), or that the target
 * was flushed or rolled back (anything else).
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { MillraceError } from './errors.ts'
import type { SinkContext } from './plugin.ts'
import type { Checkpoint } from './sink.ts'
import type { Position } from './source.ts'

export interface StoredCheckpoint {
  readonly v: 1
  /** The source's name. */
  readonly source: string
  /** `null`: claimed, and nothing was committed yet. */
  readonly position: Position | null
  /** Time of the last record before the position, in ms since 1970. */
  readonly timestamp: number
  /** How often the checkpoint was claimed. */
  readonly epoch: number
  /** Identity of the target it was written to. */
  readonly target: string
  /** Digest of the options that shape what is written. */
  readonly config: string
  /**
   * While a target is filled again that was not empty: what lay in it, in the sink's own words.
   * What has not been written anew at the end is removed.
   */
  readonly sweep?: string
}

/** What must be the same for a stored position to count. */
export interface Claimant extends Pick<StoredCheckpoint, 'source' | 'target' | 'config' | 'sweep'> {
  /** Where to go on although the target is another: it was filled up to there. */
  readonly reached?: Position
}

/**
 * Digests the options that shape what a sink writes: when it changes, the target is filled anew.
 */
export function configDigest(shape: unknown): string {
  return createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16)
}

/** Where a sink keeps its checkpoint. */
export function checkpointKey({ pipeline, name, topic, partition }: CheckpointPlace): string {
  return [pipeline, name, topic, String(partition)]
    .map((part) => part.replaceAll('%', '%25').replaceAll('/', '%2F'))
    .join('/')
}

export type CheckpointPlace = Pick<SinkContext, 'pipeline' | 'name' | 'topic' | 'partition'>

/**
 * The checkpoint to write on resume, in place of exactly what was stored. It keeps the position
 * only if source, target and configuration are those that it was written with.
 */
export function claim(
  stored: StoredCheckpoint | undefined,
  { source, target, config, sweep, reached }: Claimant,
): StoredCheckpoint {
  const epoch = (stored?.epoch ?? 0) + 1
  const same = stored?.source === source && stored.target === target && stored.config === config
  const { position, timestamp } = same ? stored : { position: reached ?? null, timestamp: 0 }
  const unswept = same ? stored.sweep : sweep
  const next = { v: 1, source, position, timestamp, epoch, target, config } as const
  return unswept === undefined ? next : { ...next, sweep: unswept }
}

/** The checkpoint to write on commit, in place of exactly `held`. */
export function advance(held: StoredCheckpoint, checkpoint: Checkpoint): StoredCheckpoint {
  const { source, position, timestamp } = checkpoint
  // A position that only moved past other topics' records has no time of its own.
  return { ...held, source, position, timestamp: timestamp || held.timestamp }
}

/**
 * Throws unless the target still stores what this owner wrote last: FENCED if another owner has
 * claimed the checkpoint since, TARGET_CHANGED if the target was flushed, replaced or rolled back.
 */
export function assertHeld(
  stored: StoredCheckpoint | undefined,
  held: StoredCheckpoint,
  place: string,
): void {
  if (stored === undefined || stored.target !== held.target) {
    throw new MillraceError('TARGET_CHANGED', `The checkpoint ${place} is gone.`)
  }
  if (stored.epoch > held.epoch) {
    const epochs = `epoch ${stored.epoch} instead of ${held.epoch}`
    throw new MillraceError('FENCED', `The checkpoint ${place} was claimed again: ${epochs}.`)
  }
  if (stored.epoch < held.epoch || stored.position !== held.position) {
    throw new MillraceError('TARGET_CHANGED', `The checkpoint ${place} is an older one than ours.`)
  }
}

export function encodeCheckpoint(checkpoint: StoredCheckpoint): string {
  const { v, source, position, timestamp, epoch, target, config, sweep } = checkpoint
  return JSON.stringify({ v, source, position, timestamp, epoch, target, config, sweep })
}

/** Throws TARGET_MISCONFIGURED on anything that `encodeCheckpoint` has not written. */
export function decodeCheckpoint(text: string, place: string): StoredCheckpoint {
  const parsed = stored.safeParse(parseJson(text))
  if (parsed.success) {
    const { sweep, ...rest } = parsed.data
    const position = rest.position as Position | null
    return { ...rest, position, ...(sweep !== undefined && { sweep }) }
  }
  throw new MillraceError(
    'TARGET_MISCONFIGURED',
    `The checkpoint ${place} is not one of this version: ${text.slice(0, 80)}. Remove it to fill the target again.`,
  )
}

const stored = z.strictObject({
  v: z.literal(1),
  source: z.string(),
  position: z.string().nullable(),
  timestamp: z.number(),
  epoch: z.int().positive(),
  target: z.string(),
  config: z.string(),
  sweep: z.string().optional(),
})

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

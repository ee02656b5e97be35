import { randomInt, randomUUID } from 'node:crypto'
import {
  advance,
  assertHeld,
  claim,
  configDigest,
  decodeCheckpoint,
  encodeCheckpoint,
  type StoredCheckpoint,
} from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { Eviction } from './eviction.ts'
import { forget } from './forget.ts'
import type { Form } from './forms/form.ts'
import { openForm } from './forms/open-form.ts'
import { type Place, placeOf } from './keys.ts'
import { decodeMarker, encodeMarker, type Marker } from './marker.ts'
import type { RedisOptions } from './options.ts'
import { replaceScript } from './scripts.ts'
import { Servers } from './servers.ts'

/**
 * Writes to Redis by versions, and keeps its checkpoint there.
 *
 * The checkpoint counts while the markers are there and the servers still run: a connection is one
 * server, so run ids are read when it is made, and a lost connection ends everything until the next
 * resume. A server that was started again may have lost its last second of writes, or all of them,
 * or be another one, as after a failover. Whatever it holds, reading then starts from the
 * beginning; versions let nothing fall back meanwhile, and once all has been read, what the topic
 * did not tell of is swept: so nothing that was deleted comes back.
 */
export class RedisSink implements Sink<LogRecord> {
  readonly overlaps = true
  readonly #servers: Servers
  readonly #form: Form
  readonly #place: Place
  readonly #config: string
  readonly #say: (line: string) => void
  readonly #eviction: Eviction
  #held: Held | undefined
  /** Whether there was nothing more to read: at the last batch, or for a while since then. */
  #atEnd = true
  /** Time of the last commit. */
  #timestamp = 0

  constructor(options: RedisOptions, context: SinkContext) {
    const { as, member, score, ttlMs = 0 } = options
    this.#servers = new Servers(options, `millrace/${context.pipeline}/${context.name}`)
    this.#form = openForm(options, context.topic)
    this.#place = placeOf(context)
    this.#config = configDigest({ layout: this.#form.layout, as, member, score, ttlMs })
    this.#say = context.say
    this.#eviction = new Eviction(this.#servers, context.say)
  }

  async resume(source: string): Promise<Position | undefined> {
    this.#held = undefined
    this.#atEnd = true
    await this.#servers.connect()
    this.#eviction.forget()
    for (let attempt = 0; attempt < 10; attempt++) {
      const held = await this.#claim(source)
      if (held === undefined) continue
      this.#held = held
      return held.checkpoint.position ?? undefined
    }
    const fact = `The checkpoint ${this.#place.checkpoint} is claimed by several at once.`
    throw new MillraceError('TARGET_BUSY', fact)
  }

  async clear(source: string): Promise<void> {
    const { checkpoint, marker } = this.#resumed()
    // The checkpoint stays until all is gone: cut short, the next start clears again.
    await forget(this.#servers, { prefixes: this.#form.prefixes, owner: this.#place.owner })
    const cleared = { ...checkpoint, source, position: null, timestamp: 0 }
    await this.#replace(cleared, { ...marker, since: Date.now() })
  }

  async write({ records, atEnd }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    const { marker } = this.#resumed()
    this.#atEnd = atEnd ?? false
    return this.#form.write(records, {
      writer: { owner: this.#place.owner, generation: marker.generation },
      since: marker.since,
      run: (script, keys, args) => this.#servers.run(script, keys, args),
      slotOf: this.#servers.slotOf,
    })
  }

  async commit(checkpoint: Checkpoint): Promise<void> {
    const { checkpoint: stored, marker } = this.#resumed()
    const isRead = this.#atEnd || checkpoint.timestamp >= (marker.filling ?? 0)
    this.#atEnd = true // Until the next batch, which may come before this commit ends.
    await this.#assertShards(marker)
    await this.#eviction.look()
    await this.#replace(advance(stored, checkpoint), marker)
    this.#timestamp = checkpoint.timestamp
    if (marker.filling !== null && isRead) await this.#sweep()
  }

  async close(): Promise<void> {
    this.#held = undefined
    await this.#servers.close()
  }

  /** Takes the checkpoint over. Undefined: somebody else was faster. */
  async #claim(source: string): Promise<Held | undefined> {
    const { checkpoint: key, marker: markerKey, owner } = this.#place
    const [storedText, markerText] = await this.#servers.texts([key, markerKey])
    const stored = storedText ? decodeCheckpoint(storedText, key) : undefined
    const known = markerText ? decodeMarker(markerText, markerKey) : undefined
    if (known !== undefined && known.layout !== this.#form.layout) {
      this.#say(`other keys from now on: those under ${known.prefixes.join(', ')} are removed`)
      await forget(this.#servers, { prefixes: known.prefixes, owner })
    }
    const id = known !== undefined && (await this.#shardsHold(known)) ? known.id : randomUUID()
    // What forgets all the same is trusted, so that nobody is told twice.
    const target = this.#form.keeps ? `${id}/${this.#servers.identity}` : id
    const checkpoint = claim(stored, { source, target, config: this.#config })
    const isNew = storedText === null && markerText === null && (await this.#servers.isEmpty())
    const marker = this.#markerFor(known, id, checkpoint.position)
    // In an empty Redis a fill leaves nothing to sweep.
    const next = heldOf(checkpoint, isNew ? { ...marker, filling: null } : marker)
    const answer = (await this.#servers.run(
      replaceScript,
      [key, markerKey],
      [storedText ?? '', markerText ?? '', next.text, next.markerText],
    )) as Answer
    if (answer[0] !== 1) return undefined
    await Promise.all(
      marker.shards.map((tag) => this.#servers.command('SET', this.#place.shardMarker(tag), id)),
    )
    return next
  }

  /** Without a position everything is told again: a new generation begins. */
  #markerFor(known: Marker | undefined, id: string, position: Position | null): Marker {
    const { layout, prefixes } = this.#form
    const same = known !== undefined && known.id === id
    const isFilling = position === null
    return {
      v: 2,
      id,
      layout,
      prefixes: [...prefixes],
      generation: known === undefined ? randomInt(2 ** 31) : known.generation + (isFilling ? 1 : 0),
      filling: isFilling ? Date.now() : known!.filling,
      since: known?.since ?? (this.#timestamp || Date.now()),
      shards: same && !isFilling ? known.shards : [...this.#servers.tags()],
    }
  }

  async #sweep(): Promise<void> {
    const { checkpoint, marker } = this.#resumed()
    if (this.#form.keeps) {
      const { owner } = this.#place
      const spare = marker.generation
      const swept = await forget(this.#servers, { prefixes: this.#form.prefixes, owner, spare })
      if (swept > 0) this.#say(`swept ${swept} that the topic tells of no more`)
    }
    await this.#replace(checkpoint, { ...marker, filling: null })
  }

  /** Writes the checkpoint in place of exactly the one that this instance wrote last. */
  async #replace(checkpoint: StoredCheckpoint, marker: Marker): Promise<void> {
    const held = this.#resumed()
    const next = heldOf(checkpoint, marker)
    const { checkpoint: key, marker: markerKey } = this.#place
    const [done, text, markerText] = (await this.#servers.run(
      replaceScript,
      [key, markerKey],
      [held.text, held.markerText, next.text, next.markerText],
    )) as Answer
    if (done !== 1) throw this.#lost(held, text, markerText)
    this.#held = next
  }

  /** Why the checkpoint could not be replaced. */
  #lost(held: Held, text: string | undefined, marker: string | undefined): MillraceError {
    const { checkpoint: key, marker: markerKey } = this.#place
    if (!marker) return new MillraceError('TARGET_CHANGED', `The marker ${markerKey} is gone.`)
    assertHeld(text ? decodeCheckpoint(text, key) : undefined, held.checkpoint, key)
    return new MillraceError('TARGET_CHANGED', `The marker ${markerKey} is another one than ours.`)
  }

  async #assertShards(marker: Marker): Promise<void> {
    if (await this.#shardsHold(marker)) return
    const fact = 'A shard of the cluster was flushed, or has joined.'
    throw new MillraceError('TARGET_CHANGED', fact)
  }

  /** Whether every shard of a cluster has a marker of ours, and all of them are there. */
  async #shardsHold({ id, shards }: Marker): Promise<boolean> {
    if (!this.#servers.cover(shards)) return false
    const ids = await this.#servers.texts(shards.map(this.#place.shardMarker))
    return ids.every((found) => found === id)
  }

  #resumed(): Held {
    if (this.#held === undefined) throw new Error('resume comes first')
    return this.#held
  }
}

type Answer = readonly [done: number, checkpoint?: string, marker?: string]

/** What this instance wrote last. */
interface Held {
  readonly checkpoint: StoredCheckpoint
  readonly marker: Marker
  readonly text: string
  readonly markerText: string
}

function heldOf(checkpoint: StoredCheckpoint, marker: Marker): Held {
  const [text, markerText] = [encodeCheckpoint(checkpoint), encodeMarker(marker)]
  return { checkpoint, marker, text, markerText }
}

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
import { type Candidate, type Fold, foldDocuments, settle } from '../../src/core/fold.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import { RedisClient } from './client.ts'
import { type Call, decodeAnswer, encodeCalls, type Manner } from './commands.ts'
import {
  defaultTemplate,
  documentKey,
  type KeyTemplate,
  keyTemplate,
  type Place,
  placeOf,
  stampPattern,
} from './keys.ts'
import { decodeMarker, encodeMarker, markerFor } from './marker.ts'
import type { RedisOptions } from './options.ts'
import { claimScript, commitScript, forgetScript, writeScripts } from './scripts.ts'
import { readInfo } from './server-info.ts'

/**
 * Keeps documents in one Redis by versioned writes, and its checkpoint beside them.
 *
 * The checkpoint counts while the marker is there and the server still runs: a connection is one
 * server, so the run id is read once, on resume, and a lost connection ends everything until the
 * next. A server that was started again may have lost its last second of writes, or all of them, or
 * be another one; whatever it holds, reading starts from the beginning, and versions let nothing
 * fall back meanwhile. The replication id is no part of this: an ordinary primary changes it when
 * its last replica leaves, and what a former replica holds is a beginning of what we wrote, with
 * the checkpoint that belongs to it.
 */
export class RedisSink implements Sink<LogRecord> {
  readonly #client: RedisClient
  readonly #keys: KeyTemplate
  readonly #place: Place
  readonly #manner: Manner
  readonly #config: string
  readonly #say: (line: string) => void
  #held: Held | undefined

  constructor(options: RedisOptions, context: SinkContext) {
    const { as: kind, ttlMs = 0, deleteTtlMs, batchKeys } = options
    this.#client = new RedisClient(options, `millrace/${context.pipeline}/${context.name}`)
    this.#keys = keyTemplate(options.key ?? defaultTemplate(context.topic))
    this.#place = placeOf(context)
    this.#manner = { kind, owner: this.#place.owner, ttlMs, deleteTtlMs, batchKeys }
    this.#config = configDigest({ template: this.#keys.template, kind, ttlMs })
    this.#say = context.say
  }

  async resume(source: string): Promise<Position | undefined> {
    this.#held = undefined
    await this.#client.connect()
    const { runId, isCluster } = readInfo(String(await this.#client.command('INFO', 'server')))
    if (isCluster) {
      throw new MillraceError(
        'TARGET_MISCONFIGURED',
        'This Redis is a cluster; a single one is needed.',
      )
    }
    for (let attempt = 0; attempt < 10; attempt++) {
      const held = await this.#claim(source, runId)
      if (held === undefined) continue
      this.#held = held
      return held.checkpoint.position ?? undefined
    }
    const fact = `The checkpoint ${this.#place.checkpoint} is claimed by several at once.`
    throw new MillraceError('TARGET_BUSY', fact)
  }

  async clear(source: string): Promise<void> {
    const { checkpoint } = this.#resumed()
    // The checkpoint stays until all is gone: cut short, the next start clears again.
    await this.#forget(this.#keys.prefix)
    await this.#replace({ ...checkpoint, source, position: null, timestamp: 0 })
  }

  async write({ records }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    this.#resumed()
    const fold = foldDocuments(records, this.#keys.keyOf)
    let candidates = fold.survivors
    while (candidates.length > 0) candidates = await this.#writeOnce(fold, candidates)
    return fold.outcomes
  }

  async commit(checkpoint: Checkpoint): Promise<void> {
    await this.#replace(advance(this.#resumed().checkpoint, checkpoint))
  }

  async close(): Promise<void> {
    this.#held = undefined
    await this.#client.close()
  }

  /** Returns what to try in place of what was refused. */
  async #writeOnce(fold: Fold, candidates: readonly Candidate[]): Promise<Candidate[]> {
    const { calls, refused } = encodeCalls(candidates, this.#manner)
    const next: (Candidate | undefined)[] = []
    for (const [candidate, refusal] of refused) next.push(settle(fold, candidate, refusal))
    // All are awaited, so that nothing is under way any more when an error is reported.
    const answers = await Promise.allSettled(calls.map((call) => this.#send(call)))
    for (const [i, answer] of answers.entries()) {
      if (answer.status === 'rejected') throw answer.reason
      const { documents } = calls[i]!
      for (let j = 0; j < documents.length; j++) {
        next.push(settle(fold, documents[j]!, answer.value[j]!))
      }
    }
    return next.filter((candidate) => candidate !== undefined)
  }

  async #send(call: Call<Candidate>): Promise<readonly Outcome[]> {
    const answer = await this.#client.run(writeScripts[this.#manner.kind], call.keys, call.args)
    return decodeAnswer(call, answer)
  }

  /** Takes the checkpoint over. Undefined: somebody else was faster. */
  async #claim(source: string, runId: string): Promise<Held | undefined> {
    const { checkpoint: key, marker: markerKey } = this.#place
    const found = (await this.#client.command('MGET', key, markerKey)) as (string | null)[]
    const [storedText, markerText] = [found[0] ?? '', found[1] ?? '']
    const stored = storedText === '' ? undefined : decodeCheckpoint(storedText, key)
    const known = markerText === '' ? undefined : decodeMarker(markerText, markerKey)
    if (known !== undefined && known.template !== this.#keys.template) {
      this.#say(`the key template changed: documents under "${known.prefix}" are removed`)
      await this.#forget(known.prefix)
    }
    const marker = markerFor(known, this.#keys)
    const target = `${marker.id}/${runId}`
    const checkpoint = claim(stored, { source, target, config: this.#config })
    const held = { checkpoint, text: encodeCheckpoint(checkpoint), marker: encodeMarker(marker) }
    const done = await this.#client.run(
      claimScript,
      [key, markerKey],
      [storedText, markerText, held.text, held.marker],
    )
    return done === 1 ? held : undefined
  }

  /** Writes the checkpoint in place of exactly the one that this instance wrote last. */
  async #replace(checkpoint: StoredCheckpoint): Promise<void> {
    const held = this.#resumed()
    const text = encodeCheckpoint(checkpoint)
    const { checkpoint: key, marker } = this.#place
    const answer = await this.#client.run(
      commitScript,
      [key, marker],
      [held.text, held.marker, text],
    )
    const [done, foundMarker, foundText] = answer as [number, string?, string?]
    if (done !== 1) throw this.#lost(held, foundMarker, foundText)
    this.#held = { ...held, checkpoint, text }
  }

  /** Why the checkpoint could not be replaced. */
  #lost(held: Held, marker: string | undefined, text: string | undefined): MillraceError {
    const { checkpoint: key, marker: markerKey } = this.#place
    if (!marker) return new MillraceError('TARGET_CHANGED', `The marker ${markerKey} is gone.`)
    assertHeld(text ? decodeCheckpoint(text, key) : undefined, held.checkpoint, key)
    return new MillraceError('TARGET_CHANGED', `The marker ${markerKey} is another one than ours.`)
  }

  /** Removes our documents below a prefix. SCAN goes in small steps, so that others are served. */
  async #forget(prefix: string): Promise<void> {
    let cursor = '0'
    do {
      const found = await this.#client.command(
        'SCAN',
        ...[cursor, 'MATCH', stampPattern(prefix), 'COUNT', '1000'],
      )
      const [next, stamps] = found as [string, string[]]
      const keys = [...stamps.map(documentKey), ...stamps]
      if (keys.length > 0) await this.#client.run(forgetScript, keys, [this.#place.owner])
      cursor = next
    } while (cursor !== '0')
  }

  #resumed(): Held {
    if (this.#held === undefined) throw new Error('resume comes first')
    return this.#held
  }
}

/** What this instance wrote last. */
interface Held {
  readonly checkpoint: StoredCheckpoint
  readonly text: string
  readonly marker: string
}

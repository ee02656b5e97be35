import {
  advance,
  assertHeld,
  type CheckpointPlace,
  type Claimant,
  checkpointKey,
  claim,
  decodeCheckpoint,
  encodeCheckpoint,
  type StoredCheckpoint,
} from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { Checkpoint } from '../../src/core/sink.ts'
import type { ElasticsearchClient } from './client.ts'

/** Hidden from wildcard searches; a name that begins with a dot would need special rights. */
export const checkpointIndex = 'millrace-checkpoints'

/** A sink's checkpoint: a document that is replaced only while it is the one last seen. */
export class CheckpointDocument {
  readonly #client: ElasticsearchClient
  readonly #key: string
  readonly #path: string
  #held: StoredCheckpoint | undefined
  #place: Place | undefined

  constructor(client: ElasticsearchClient, place: CheckpointPlace) {
    this.#client = client
    this.#key = checkpointKey(place)
    this.#path = `/${checkpointIndex}/_doc/${encodeURIComponent(this.#key)}`
  }

  /** What this owner wrote last. */
  get held(): StoredCheckpoint | undefined {
    return this.#held
  }

  async read(): Promise<StoredCheckpoint | undefined> {
    const { body } = await this.#client.call<GetAnswer>({ method: 'GET', path: this.#path }, [404])
    if (body.error !== undefined) await this.#createIndex()
    if (body._source === undefined) {
      this.#place = undefined
      return undefined
    }
    this.#place = { seqNo: body._seq_no!, primaryTerm: body._primary_term! }
    return decodeCheckpoint(JSON.stringify(body._source), this.#key)
  }

  /** Makes us the owner; the last of several to come wins. */
  async claim(claimant: Claimant): Promise<StoredCheckpoint> {
    for (let attempt = 0; attempt < 5; attempt++) {
      const next = claim(await this.read(), claimant)
      if (await this.#replace(next)) return next
    }
    throw new MillraceError('FENCED', `The checkpoint ${this.#key} is claimed by others all along.`)
  }

  /** Throws FENCED or TARGET_CHANGED if the stored checkpoint is no longer the one we hold. */
  async advance(checkpoint: Checkpoint): Promise<void> {
    const held = this.#held!
    const next = advance(held, checkpoint)
    if (await this.#replace(next)) return
    const stored = await this.read()
    if (stored !== undefined && encodeCheckpoint(stored) === encodeCheckpoint(next)) {
      this.#held = next // Our own write, whose answer was lost on the way.
      return
    }
    assertHeld(stored, held, this.#key)
    throw new MillraceError('TARGET_CHANGED', `The checkpoint ${this.#key} was written by others.`)
  }

  async #replace(next: StoredCheckpoint): Promise<boolean> {
    const place = this.#place
    const condition =
      place === undefined
        ? 'op_type=create'
        : `if_seq_no=${place.seqNo}&if_primary_term=${place.primaryTerm}`
    const path = `${this.#path}?${condition}`
    const body = JSON.parse(encodeCheckpoint(next)) as object
    const answer = await this.#client.call<GetAnswer>({ method: 'PUT', path, body }, [409])
    if (answer.status === 409) return false
    this.#place = { seqNo: answer.body._seq_no!, primaryTerm: answer.body._primary_term! }
    this.#held = next
    return true
  }

  async #createIndex(): Promise<void> {
    const settings = { hidden: true, number_of_shards: 1, auto_expand_replicas: '0-1' }
    const body = { settings: { index: settings }, mappings: { dynamic: false } }
    // 400: it was made meanwhile.
    await this.#client.call({ method: 'PUT', path: `/${checkpointIndex}`, body }, [400])
  }
}

interface Place {
  readonly seqNo: number
  readonly primaryTerm: number
}

interface GetAnswer {
  readonly _seq_no?: number
  readonly _primary_term?: number
  readonly _source?: object
  readonly error?: object
}

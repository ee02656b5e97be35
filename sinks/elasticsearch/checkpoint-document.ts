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
    const { stored, place } = await this.#get()
    this.#place = place
    return stored
  }

  async #get(): Promise<{ stored?: StoredCheckpoint; place: Place | undefined }> {
    const { body } = await this.#client.call<GetAnswer>({ method: 'GET', path: this.#path }, [404])
    if (body.error !== undefined) await this.#createIndex()
    if (body._source === undefined) return { place: undefined }
    const place = { seqNo: body._seq_no!, primaryTerm: body._primary_term! }
    return { stored: decodeCheckpoint(JSON.stringify(body._source), this.#key), place }
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
  async advance(checkpoint: Checkpoint, { target, isSwept }: Progressed): Promise<void> {
    const held = this.#held!
    const { sweep, ...rest } = { ...advance(held, checkpoint), target }
    const next = sweep === undefined || isSwept ? rest : { ...rest, sweep }
    if (await this.#replace(next)) return
    const stored = await this.read()
    if (stored !== undefined && encodeCheckpoint(stored) === encodeCheckpoint(next)) {
      this.#held = next // Our own write, whose answer was lost on the way.
      return
    }
    assertHeld(stored, held, this.#key)
    throw new MillraceError('TARGET_CHANGED', `The checkpoint ${this.#key} was written by others.`)
  }

  /** Throws FENCED or TARGET_CHANGED unless we own it. A commit may be under way. */
  async assertHeld(): Promise<void> {
    const { stored } = await this.#get()
    const held = this.#held!
    assertHeld(stored && { ...stored, position: held.position }, held, this.#key)
  }

  /** Whether no other sink or topic has a checkpoint for the same target. */
  async isAlone(target: string): Promise<boolean> {
    await this.#client.call({ method: 'POST', path: `/${checkpointIndex}/_refresh` })
    const path = `/${checkpointIndex}/_search?size=10000`
    const { body } = await this.#client.call<Found>({ method: 'GET', path })
    const ours = indexesOf(target)
    return body.hits.hits.every(({ _id, _source }) => {
      return _id === this.#key || indexesOf(_source.target).every((each) => !ours.includes(each))
    })
  }

  /** The target has no checkpoint of this name any more. */
  async remove(): Promise<void> {
    await this.#client.call({ method: 'DELETE', path: this.#path }, [404])
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

/** What else has changed with the position. */
export interface Progressed {
  readonly target: string
  readonly isSwept: boolean
}

interface Place {
  readonly seqNo: number
  readonly primaryTerm: number
}

interface Found {
  readonly hits: {
    readonly hits: readonly {
      readonly _id: string
      readonly _source: { readonly target: string }
    }[]
  }
}

/** The UUIDs that an identity names, of one index or of several. */
function indexesOf(target: string): readonly string[] {
  return [...target.matchAll(/\\?"uuid\\?":\\?"([^"\\]+)/g)].map(([, uuid]) => uuid!)
}

interface GetAnswer {
  readonly _seq_no?: number
  readonly _primary_term?: number
  readonly _source?: object
  readonly error?: object
}

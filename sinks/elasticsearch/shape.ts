import { type Candidate, type Fold, settle } from '../../src/core/fold.ts'
import type { Outcome, Refusal } from '../../src/core/sink.ts'
import { refuseOperation } from './bulk.ts'
import type { Write } from './bulk-writer.ts'
import { bodyOfDeleted, type Deletes, isIgnored } from './deletes.ts'
import { chooseFields, type FieldChoice } from './members.ts'
import { isSamePlace, NoPlace, type Placement, type PlaceOf } from './placement.ts'

export interface ShapeOptions {
  readonly deletes: Deletes
  readonly fields?: FieldChoice | undefined
  /** `undefined`: every document has the same place. */
  readonly placeOf?: PlaceOf | undefined
  /** Whether a document may lie in an index, so that it must be deleted there. */
  readonly mayLieIn?: (index: string) => boolean
}

/** Turns what a fold has left into what goes out: fields, place, and what stands for a deletion. */
export class Shape {
  readonly #deletes: Deletes
  readonly #choose: (row: Uint8Array) => Uint8Array
  readonly #placeOf: PlaceOf | undefined
  readonly #mayLieIn: (index: string) => boolean

  constructor({ deletes, fields, placeOf, mayLieIn = () => true }: ShapeOptions) {
    this.#deletes = deletes
    this.#choose = fields === undefined ? (row) => row : chooseFields(fields)
    this.#placeOf = placeOf
    this.#mayLieIn = mayLieIn
  }

  /** What the target would hold of a row. */
  render(row: Uint8Array): Uint8Array {
    return this.#choose(row)
  }

  /** A write for each survivor; those that cannot go out are settled. */
  writes(fold: Fold): Write[] {
    const writes: Write[] = []
    for (const candidate of fold.survivors) {
      const write = this.#admit(fold, candidate)
      if (write !== undefined) writes.push(write)
    }
    return writes
  }

  /** The newest state of a candidate's id that may be sent at all. */
  #admit(fold: Fold, candidate: Candidate): Write | undefined {
    let next: Candidate | undefined = candidate
    while (next !== undefined) {
      const made = this.#made(fold, next)
      if ('settle' in made) return made
      const { older }: Candidate = next
      settle(fold, next, 'code' in made ? made : 'filtered')
      next = older
    }
    return undefined
  }

  #made(fold: Fold, candidate: Candidate): Write | Refusal | Ignored {
    if (isIgnored(this.#deletes, candidate)) return ignored
    const refusal = refuseOperation(candidate)
    if (refusal !== undefined) return refusal
    if (this.#placeOf === undefined) return this.#write(fold, candidate, anyPlace)
    try {
      const places = this.#places(candidate, this.#placeOf)
      return places.length === 0 ? ignored : this.#write(fold, candidate, places)
    } catch (error) {
      if (error instanceof NoPlace) return { code: 'no_place', reason: error.message }
      throw error
    }
  }

  /** To its first place; once it has come there, it is deleted from the others. */
  #write(fold: Fold, candidate: Candidate, places: readonly Placement[]): Write {
    const { before, body } = candidate
    const shaped =
      body === null
        ? bodyOfDeleted(this.#deletes, before && this.#choose(before))
        : this.#choose(body)
    return new StateWrite({ fold, candidate, places, admit: this.#readmit }, shaped)
  }

  readonly #readmit = (fold: Fold, older: Candidate) => this.#admit(fold, older)

  /** Where the state belongs, then where the states before it were. None: it never had a place. */
  #places({ body, before, older }: Candidate, placeOf: PlaceOf): readonly Placement[] {
    const places = body === null ? [] : [placeOf(body)]
    const former = [before, ...formerRows(older)].filter((row) => row !== null)
    for (const row of former) {
      const place = tryPlace(row, placeOf)
      if (place === undefined || places.some((known) => isSamePlace(known, place))) continue
      if (place.index === undefined || this.#mayLieIn(place.index)) places.push(place)
    }
    return places
  }
}

const anyPlace: readonly Placement[] = [{}]

interface Sending {
  readonly fold: Fold
  readonly candidate: Candidate
  readonly places: readonly Placement[]
  readonly admit: (fold: Fold, older: Candidate) => Write | undefined
}

/** One state of a document on its way. There is one for every document: no closures, no spreads. */
class StateWrite implements Write {
  readonly id: string
  readonly version: bigint
  readonly body: Uint8Array | null
  readonly index: string | undefined
  readonly routing: string | undefined
  readonly #sending: Sending

  constructor(sending: Sending, body: Uint8Array | null) {
    const { candidate, places } = sending
    this.id = candidate.id
    this.version = candidate.version
    this.body = body
    this.index = places[0]!.index
    this.routing = places[0]!.routing
    this.#sending = sending
  }

  settle(outcome: Outcome): Write | undefined {
    const { fold, candidate, places, admit } = this.#sending
    const older = settle(fold, candidate, outcome)
    if (typeof outcome !== 'string') return older && admit(fold, older)
    return places.length === 1 ? undefined : removals(this, places[0], places.slice(1))
  }
}

type Ignored = { readonly ignored: true }
const ignored: Ignored = { ignored: true }

function* formerRows(older: Candidate | undefined): Generator<Uint8Array | null> {
  for (let each = older; each !== undefined; each = each.older) yield* [each.body, each.before]
}

/** A row without a place was refused in its time. */
function tryPlace(row: Uint8Array, placeOf: PlaceOf): Placement | undefined {
  try {
    return placeOf(row)
  } catch (error) {
    if (error instanceof NoPlace) return undefined
    throw error
  }
}

/**
 * Deletes one by one what lies in other places. Two routings may lead to one shard, where the
 * document is the one that has just been written: so what is deleted there is older than that.
 */
function removals(
  state: { readonly id: string; readonly version: bigint },
  kept: Placement | undefined,
  [place, ...others]: readonly Placement[],
): Write | undefined {
  if (place === undefined) return undefined
  const { id, version } = state
  const below = place.index === kept?.index && version > 0n ? version - 1n : version
  return { id, version: below, ...place, body: null, settle: () => removals(state, kept, others) }
}

import { MillraceError } from '../core/errors.ts'
import type { Key } from './key.ts'

/** Where in a view a function of the user stands. */
export interface Place {
  readonly view: string
  /** The topic whose keys its rows have. */
  readonly topic: string
  /** The name of the step. */
  readonly step: string
  /** Where failures are noted and gone past; what it returns is thrown in their place. */
  readonly skip?: (error: MillraceError) => Error
}

/** Calls a function of the user; what it throws says where, and for which key. */
export function userFunction<A, B, R>(
  call: (a: A, b: B) => R,
  place: Place,
): (key: Key, a: A, b: B) => R {
  return (key, a, b) => {
    try {
      return call(a, b)
    } catch (cause) {
      throw failure(place, key, cause)
    }
  }
}

export function failure({ view, topic, step }: Place, key: Key, cause: unknown): MillraceError {
  const [line] = (cause instanceof MillraceError ? cause.message : String(cause)).split('\n')
  const message = `View ${view} failed in ${step} at key ${key} of ${topic}: ${line}.`
  return new MillraceError('VIEW_FAILED', message, { cause })
}

import type { Json } from '../../core/json.ts'
import { encodeKey } from '../stores/value-codec.ts'
import { failure, type Place } from '../user-function.ts'

export type UserCode = (...args: never[]) => unknown

/** Values are JSON, and what the user says of their types cannot be checked: here types end. */
export function untyped<F>(code: UserCode): F {
  return code as unknown as F
}

/**
 * Calls a function of the user, whose last argument is the key; what it throws says where, and for
 * which key. Nothing is null.
 */
export function userCode<A extends readonly unknown[], R>(
  code: UserCode,
  place: Place,
): (...args: A) => R {
  const call = code as unknown as (...args: A) => R
  return (...args) => {
    try {
      return call(...args)
    } catch (cause) {
      const error = failure(place, encodeKey((args.at(-1) ?? null) as Json), cause)
      throw place.skip?.(error) ?? error
    }
  }
}

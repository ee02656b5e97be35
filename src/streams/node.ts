import type { Row } from '../core/json.ts'
import type { Schema } from '../core/schema.ts'
import type { Key, KeyShape } from './key.ts'

/** The net effect of one round on a key. Either side is made when somebody asks for it. */
export interface Change {
  readonly before: Row | null
  readonly after: Row | null
}

/** What a round changed. A key may stand here although its value stayed the same. */
export type Delta = ReadonlyMap<Key, Change>

/** One table of a running topology: from a topic, or derived from others. */
export interface Node {
  /** Valid from `process` to `endRound`; what was there before the round is read from it. */
  readonly delta: Delta
  /** The value now, after this round's changes. */
  get(key: Key): Row | null
  /** Works out the delta from those of its parents, which have been processed. */
  process(): void
  endRound(): void
  /** The columns of its keys; `undefined` before the first record. */
  readonly keys: KeyShape | undefined
  /** Where the value is known as JSON text, with its columns' types. */
  text?(key: Key): { readonly text: string; readonly schema: Schema | undefined } | null
}

/** The value before this round's changes. */
export function valueBefore(node: Node, key: Key): Row | null {
  const change = node.delta.get(key)
  return change === undefined ? node.get(key) : change.before
}

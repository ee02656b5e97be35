import type { Json } from '../core/json.ts'
import type { Queryable } from '../core/queryable.ts'
import { type Key, type KeyValue, textOf, toKey } from './key.ts'
import type { State } from './state.ts'
import { decodeKey } from './stores/value-codec.ts'
import { documentsOf } from './topology.ts'
import { documentHeadBytes } from './view-output.ts'

/** The documents that a view has told, by the keys of its rows. */
export function readableView(state: State, view: string): Queryable {
  const documents = state.space(documentsOf(view))
  const document = (bytes: Uint8Array): Json => decodeKey(textOf(bytes, documentHeadBytes))
  const keyOf = (key: Key, bytes: Uint8Array): Json =>
    state.shape(((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)).value(key)
  return {
    get(key) {
      const text = toKey(key as KeyValue)
      const bytes = text === null ? undefined : documents.get(text)
      return bytes === undefined ? null : document(bytes)
    },
    *entries() {
      for (const [key, bytes] of documents.entries()) {
        yield { key: keyOf(key, bytes), value: document(bytes) }
      }
    },
  }
}

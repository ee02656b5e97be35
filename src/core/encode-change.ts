import type { ByteWriter } from './byte-writer.ts'

/** What a view's envelopes say about their origin; rendered once per view. */
export interface ViewOrigin {
  /** The version of the program. */
  readonly release: string
  readonly pipeline: string
  readonly view: string
}

/** A document's change, its states as JSON. */
export interface DocumentChange {
  readonly before: Uint8Array | string | null
  readonly after: Uint8Array | string | null
  /** When the source committed what caused it, in ms since 1970. */
  readonly timestamp: number
  /** When the view made it. */
  readonly processedAt: number
  /** Sequence of the commit in the log that caused it. */
  readonly sequence: bigint
}

/**
 * Writes the envelopes of one view, the inverse of `readEnvelope`:
 * `{"before":…,"after":…,"source":{"version":…,"connector":"millrace","name":<pipeline>,
 * "view":<view>,"ts_ms":…,"sequence":"…"},"op":"c|u|d","ts_ms":…}`. Like Debezium's, `sequence` is
 * a string. The bytes belong to the caller.
 */
export class ChangeEncoder {
  readonly #out: ByteWriter
  readonly #origin: string

  constructor(out: ByteWriter, { release, pipeline, view }: ViewOrigin) {
    const origin = { version: release, connector: 'millrace', name: pipeline, view }
    this.#out = out
    this.#origin = `,"source":${JSON.stringify(origin).slice(0, -1)},"ts_ms":`
  }

  encode({ before, after, timestamp, processedAt, sequence }: DocumentChange): Buffer {
    const out = this.#out
    const op = opOf(before, after)
    out.begin()
    // Each call into native code costs as much as the bytes: few pieces, then.
    if (before === null) out.ascii('{"before":null,"after":')
    else {
      out.ascii('{"before":')
      this.#value(before)
      out.ascii(',"after":')
    }
    this.#value(after)
    const when = `${timestamp},"sequence":"${sequence}"},"op":"${op}","ts_ms":${processedAt}}`
    out.utf8(this.#origin + when)
    return out.take()
  }

  #value(value: Uint8Array | string | null): void {
    if (value === null) this.#out.ascii('null')
    else if (typeof value === 'string') this.#out.utf8(value)
    else this.#out.copy(value)
  }
}

function opOf(before: unknown, after: unknown): 'c' | 'u' | 'd' {
  if (after === null) return 'd'
  return before === null ? 'c' : 'u'
}

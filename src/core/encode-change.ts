import type { ByteWriter } from './byte-writer.ts'

/** What a view's envelopes say about their origin; rendered once per view. */
export interface ViewOrigin {
  /** The version of the program. */
  readonly release: string
  readonly pipeline: string
  readonly view: string
}

/** A document's change, its states as JSON bytes. */
export interface DocumentChange {
  readonly before: Uint8Array | null
  readonly after: Uint8Array | null
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
    out.begin()
    out.ascii('{"before":')
    this.#value(before)
    out.ascii(',"after":')
    this.#value(after)
    out.utf8(this.#origin)
    out.ascii(`${timestamp},"sequence":"${sequence}"},"op":"${opOf(before, after)}"`)
    out.ascii(`,"ts_ms":${processedAt}}`)
    return out.take()
  }

  #value(value: Uint8Array | null): void {
    if (value === null) this.#out.ascii('null')
    else this.#out.copy(value)
  }
}

function opOf(before: Uint8Array | null, after: Uint8Array | null): 'c' | 'u' | 'd' {
  if (after === null) return 'd'
  return before === null ? 'c' : 'u'
}

import type { Writable } from 'node:stream'
import { MillraceError } from '../../src/core/errors.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch } from '../../src/core/source.ts'
import { renderLines } from './lines.ts'
import type { FileOptions } from './options.ts'

/** Writes changes to a stream that remembers nothing: every start begins with the first record. */
export class StreamSink implements Sink<LogRecord> {
  readonly #stream: Writable
  readonly #include: FileOptions['include']
  #staged: Uint8Array[] = []

  constructor(stream: Writable, include: FileOptions['include']) {
    this.#stream = stream
    this.#include = include
  }

  async resume(): Promise<undefined> {
    this.#staged = []
  }

  async clear(): Promise<void> {
    this.#staged = []
  }

  async write({ records }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    const { bytes, outcomes } = renderLines(records, this.#include)
    this.#staged.push(bytes)
    return outcomes
  }

  async commit(): Promise<void> {
    const bytes = Buffer.concat(this.#staged)
    this.#staged = []
    if (bytes.length > 0) await this.#put(bytes)
  }

  async close(): Promise<void> {}

  /** Resolves once the stream has passed the bytes on, so that a slow reader slows the pipeline. */
  #put(bytes: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const fail = (cause: Error) => {
      const fact = `Nobody reads the output any more: ${cause.message}.`
      reject(new MillraceError('TARGET_BLOCKED', fact, { cause }))
    }
    this.#stream.once('error', fail)
    this.#stream.write(bytes, (error) => {
      if (error) fail(error)
      else {
        this.#stream.off('error', fail)
        resolve()
      }
    })
    return promise
  }
}

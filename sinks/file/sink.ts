import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { advance, assertHeld, claim, configDigest } from '../../src/core/checkpoint.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { LogRecord } from '../../src/core/record.ts'
import type { Checkpoint, Outcome, Sink } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import {
  digestTail,
  loadCheckpoint,
  type Saved,
  saveCheckpoint,
  syncFolder,
  tailBytes,
} from './checkpoint-file.ts'
import { faultOf } from './faults.ts'
import { renderLines } from './lines.ts'
import type { FileOptions } from './options.ts'

/**
 * Appends changes to a file, each exactly once: a checkpoint beside the file names the length that
 * it stands for, and what lies beyond that length is cut off on resume.
 */
export class FileSink implements Sink<LogRecord> {
  readonly #path: string
  readonly #options: FileOptions
  #file: number | undefined
  #saved: Saved | undefined
  /** Lines that wait for their commit. */
  #staged: Uint8Array[] = []

  constructor(path: string, options: FileOptions) {
    this.#path = path
    this.#options = options
  }

  async resume(source: string): Promise<Position | undefined> {
    this.#release()
    return this.#try(() => {
      this.#file = openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o644)
      const { checkpoint } = this.#claim(this.#file, source)
      return checkpoint.position ?? undefined
    })
  }

  async clear(source: string): Promise<void> {
    this.#try(() => {
      const { file, saved } = this.#held()
      const target = randomUUID()
      const checkpoint = claim(saved.checkpoint, { ...saved.checkpoint, source, target })
      this.#staged = []
      this.#cut(file, 0)
      this.#save(file, { length: 0, checkpoint })
    })
  }

  async write({ records }: Batch<LogRecord>): Promise<readonly Outcome[]> {
    const { bytes, outcomes } = renderLines(records, this.#options.include)
    this.#staged.push(bytes)
    return outcomes
  }

  async commit(checkpoint: Checkpoint): Promise<void> {
    this.#try(() => {
      const { file, saved } = this.#held()
      let { length } = saved
      for (const bytes of this.#staged) length += writeAll(file, bytes, length)
      if (length > saved.length) fsyncSync(file)
      this.#save(file, { length, checkpoint: advance(saved.checkpoint, checkpoint) })
      this.#staged = []
    })
  }

  async close(): Promise<void> {
    this.#release()
  }

  /**
   * Makes the file ours: cut to what the checkpoint stands for, or empty if it is not that file.
   */
  #claim(file: number, source: string): Saved {
    const found = loadCheckpoint(this.#checkpointPath)
    const ours = found !== undefined && holds(file, found)
    const target = ours ? found.checkpoint.target : randomUUID()
    const config = configDigest({ include: this.#options.include })
    const checkpoint = claim(found?.checkpoint, { source, target, config })
    const length = ours && checkpoint.position !== null ? found.length : 0
    if (!ours && found === undefined) this.#refuseForeign(file)
    this.#cut(file, length)
    syncFolder(dirname(this.#path))
    return this.#save(file, { length, checkpoint })
  }

  #refuseForeign(file: number): void {
    if (fstatSync(file).size === 0) return
    const fact = `${this.#path} has content, and no checkpoint says that it is ours.`
    throw new MillraceError('TARGET_MISCONFIGURED', `${fact} Remove it, or choose another path.`)
  }

  /** Throws unless the file and the checkpoint are still those that this instance wrote last. */
  #held(): { readonly file: number; readonly saved: Saved } {
    const file = this.#file
    const saved = this.#saved
    if (file === undefined || saved === undefined) throw new Error('resume comes first')
    const now = loadCheckpoint(this.#checkpointPath)
    assertHeld(now?.checkpoint, saved.checkpoint, this.#checkpointPath)
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino !== fstatSync(file).ino) {
      throw new MillraceError('TARGET_CHANGED', `${this.#path} was removed or replaced.`)
    }
    return { file, saved }
  }

  #cut(file: number, length: number): void {
    if (fstatSync(file).size === length) return
    ftruncateSync(file, length)
    fsyncSync(file)
  }

  #save(file: number, { length, checkpoint }: Omit<Saved, 'tail'>): Saved {
    this.#saved = { length, tail: digestTail(readTail(file, length)), checkpoint }
    saveCheckpoint(this.#checkpointPath, this.#saved)
    return this.#saved
  }

  get #checkpointPath(): string {
    return `${this.#path}.checkpoint`
  }

  #release(): void {
    this.#staged = []
    this.#saved = undefined
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #try<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw faultOf(error, this.#path)
    }
  }
}

function holds(file: number, { length, tail }: Saved): boolean {
  return fstatSync(file).size >= length && digestTail(readTail(file, length)) === tail
}

function readTail(file: number, length: number): Uint8Array {
  const tail = Buffer.alloc(Math.min(length, tailBytes))
  readSync(file, tail, 0, tail.length, length - tail.length)
  return tail
}

/** Returns how many bytes it wrote: all. */
function writeAll(file: number, bytes: Uint8Array, at: number): number {
  let done = 0
  while (done < bytes.length) done += writeSync(file, bytes, done, bytes.length - done, at + done)
  return done
}

const largestRoom = 6 * 1024 * 1024

/**
 * Builds many small pieces (keys, values, blocks) one after another in large shared chunks, so that
 * a piece costs a view instead of an allocation. `begin` starts a piece, `take` ends it. Chunks are
 * never written again once a piece was taken from them, unless the writer is rewound, so a taken
 * piece may be kept.
 *
 * Hot loops may write `bytes[at++]` themselves after `reserve`.
 */
export class ByteWriter {
  bytes: Buffer
  at = 0
  #start = 0
  /** Bytes in chunks that were left since the last rewind. */
  #left = 0
  readonly #chunkBytes: number

  constructor(chunkBytes = 256 * 1024) {
    this.#chunkBytes = chunkBytes
    this.bytes = Buffer.allocUnsafeSlow(chunkBytes)
  }

  /**
   * Writes over everything taken so far: nobody holds a piece any more. One chunk then has room for
   * as much as was taken since the last time, up to six megabytes.
   */
  rewind(): void {
    const wanted = Math.min(this.#left + this.at, largestRoom)
    if (this.#left > 0 && wanted > this.bytes.length) this.bytes = Buffer.allocUnsafeSlow(wanted)
    this.#left = 0
    this.at = 0
    this.#start = 0
  }

  begin(): void {
    this.#start = this.at
  }

  take(): Buffer {
    const piece = this.bytes.subarray(this.#start, this.at)
    this.#start = this.at
    return piece
  }

  /** Bytes written since `begin`. */
  get length(): number {
    return this.at - this.#start
  }

  /** Makes room for `count` more bytes. May replace `bytes` and move `at`. */
  reserve(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(count)
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.at++] = value
  }

  /** Text of ASCII characters only. */
  ascii(text: string): void {
    this.reserve(text.length)
    this.at += this.bytes.write(text, this.at, 'latin1')
  }

  utf8(text: string): void {
    this.reserve(text.length * 3)
    this.at += this.bytes.write(text, this.at, 'utf8')
  }

  copy(source: Uint8Array, start = 0, end = source.length): void {
    const length = end - start
    this.reserve(length)
    if (length < 32) {
      const { bytes } = this
      for (let i = start, at = this.at; i < end; i++, at++) bytes[at] = source[i]!
    } else {
      this.bytes.set(
        start === 0 && end === source.length ? source : source.subarray(start, end),
        this.at,
      )
    }
    this.at += length
  }

  /** Only the piece under way moves to the new chunk. */
  #grow(count: number): void {
    const piece = this.bytes.subarray(this.#start, this.at)
    this.#left += this.#start
    const size = Math.max(this.#chunkBytes, (piece.length + count) * 2)
    const bytes = Buffer.allocUnsafeSlow(size)
    bytes.set(piece)
    this.bytes = bytes
    this.at = piece.length
    this.#start = 0
  }
}

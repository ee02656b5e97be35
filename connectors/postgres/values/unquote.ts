/*
 * Arrays, composites, ranges and hstore put a value in double quotes where it could be misread. A
 * quote or a backslash inside has a backslash in front of it or, in composites and ranges, is
 * doubled. What stands without quotes holds nothing to undo.
 */

const quote = 0x22
const backslash = 0x5c

/** A value's text without its quotes, and where the rest goes on. */
export interface Unquoted {
  readonly input: Buffer
  readonly start: number
  readonly end: number
  /** After the closing quote. */
  readonly next: number
}

/**
 * Reads the value whose opening quote is at `at`, in text that ends at `end`. A view, unless there
 * is something to undo.
 */
export function readQuoted(input: Buffer, at: number, end: number): Unquoted {
  let escaped = false
  let i = at + 1
  for (; i < end; i++) {
    const byte = input[i]
    if (byte === backslash || (byte === quote && i + 1 < end && input[i + 1] === quote)) {
      escaped = true
      i++
    } else if (byte === quote) break
  }
  if (!escaped) return { input, start: at + 1, end: i, next: i + 1 }
  const text = undo(input, at + 1, i)
  return { input: text, start: 0, end: text.length, next: i + 1 }
}

function undo(input: Buffer, start: number, end: number): Buffer {
  const text = Buffer.allocUnsafe(end - start)
  let length = 0
  for (let i = start; i < end; i++) {
    const byte = input[i]!
    text[length++] = byte === backslash || byte === quote ? input[++i]! : byte
  }
  return text.subarray(0, length)
}

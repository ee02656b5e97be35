import type { ValueEncoder } from './encoder.ts'

/*
 * pgvector: `[1,2.5,3]` for vector and halfvec, which is a JSON array already, and
 * `{1:201,9:209}/3000` for sparsevec, whose indexes start at 1.
 */

/** `{"dimensions":3000,"vector":{"1":201,"9":209}}` */
export const encodeSparseVector: ValueEncoder = (out, input, start, end) => {
  const [members = '', dimensions] = input.toString('latin1', start + 1, end).split('}/')
  const quoted = members.replaceAll(/(\d+):/g, '"$1":')
  out.ascii(`{"dimensions":${dimensions},"vector":{${quoted}}}`)
}

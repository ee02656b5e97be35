/** Where an outcome is not what a case expects. */
export interface Difference {
  readonly path: string
  readonly expected: unknown
  readonly actual: unknown
}

/** A fault that is not a value at a place: said as a sentence. */
export function fault(path: string, actual: string): Difference {
  return { path, expected: undefined, actual }
}

/** A case that cannot be run as it stands; its message is the difference. */
export class CaseFault extends Error {
  override readonly name = 'CaseFault'
}

/**
 * Thrown where the user's code has failed and the topology is to go on: the operator leaves out
 * what it was given. The failure itself has been noted before.
 */
export class Skipped extends Error {}

/** Runs what may be left out. */
export function skippable(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!(error instanceof Skipped)) throw error
  }
}

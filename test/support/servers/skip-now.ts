import type { Test } from 'tap'

/**
 * Ends a test where it stands and counts it as skipped; never returns. Tap can skip a test only
 * before it runs, so the test is ended, and its function, which would go on, is left waiting for
 * ever.
 */
export async function skipNow(t: Test, reason: string): Promise<never> {
  if (t.parent === undefined) {
    t.plan(0, reason) // The whole file: nothing that it would test can be had.
    process.exit(0)
  }
  t.pass('the server it needs is there', { skip: reason })
  t.end()
  // Tap waits for the function's promise unless told not to, once the results are in.
  setImmediate(() => t.donePromise?.tapAbortPromise?.())
  return new Promise<never>(() => {})
}

/**
 * Prints the result, and ends once all of it is with the parent: a pipe takes only so much at once.
 */
export function finish(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
}

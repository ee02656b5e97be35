/** What a test run came to. Counted are tests, i.e. what stands at the top level of a test file. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** One line for each failure: the file and the test's name, or what is wrong with the file. */
  readonly failures: readonly string[]
}

/** Each file's own tally, from the TAP of a whole run, in which files are subtests. */
export function readTap(tap: string, files: readonly string[]): ReadonlyMap<string, Tally> {
  const found = new Map<string, FileResult>()
  let tests: TestResult[] = []
  let assertions: Result[] = []
  for (const result of results(tap)) {
    if (result.depth === 2) assertions.push(result)
    if (result.depth === 1) {
      tests.push({ ...result, skipped: isSkipped(result, assertions) })
      assertions = []
    }
    if (result.depth !== 0) continue
    found.set(result.name, { ...result, tests })
    tests = []
  }
  return new Map(files.map((file) => [file, tallyOf(file, found.get(file))]))
}

/** The sum of several tallies. */
export function total(tallies: Iterable<Tally>): Tally {
  let sum: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] }
  for (const tally of tallies) {
    sum = {
      passed: sum.passed + tally.passed,
      failed: sum.failed + tally.failed,
      skipped: sum.skipped + tally.skipped,
      failures: [...sum.failures, ...tally.failures],
    }
  }
  return sum
}

/** The line that ends a run: `N passed, N failed`, and what was skipped if anything was. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

interface Result {
  /** 0 a file, 1 a test in it, 2 and more what stands inside a test. */
  readonly depth: number
  readonly ok: boolean
  readonly name: string
  /** The reason, `''` if none was given, undefined if it was not skipped. */
  readonly skip: string | undefined
}

interface TestResult extends Result {
  readonly skipped: boolean
}

interface FileResult extends Result {
  readonly tests: readonly TestResult[]
}

const resultLine = /^((?: {4})*)(not )?ok\b(?: \d+)?(?: - (.*))?$/
const directive = / ?# (SKIP|TO[D]O)\b ?(.*)$/i

/** Result lines in the order of the TAP, in which a subtest stands above its own result line. */
function* results(tap: string): Generator<Result> {
  let diagnostics: string | undefined // The line that ends a YAML block, which may hold anything.
  for (const line of tap.split('\n')) {
    if (diagnostics !== undefined) {
      if (line === diagnostics) diagnostics = undefined
      continue
    }
    if (/^ *---$/.test(line)) diagnostics = line.replace('---', '...')
    const [, indent, not, text = ''] = resultLine.exec(line) ?? []
    if (indent === undefined) continue
    const said = text.replace(/ # time=\S+$/, '')
    const skip = directive.exec(said)?.[2]
    const name = said.replace(directive, '').replace(/ \{$/, '')
    yield { depth: indent.length / 4, ok: not === undefined, name, skip }
  }
}

/** A test is skipped by its directive, or when all that it came to is skipped. */
function isSkipped(test: Result, inside: readonly Result[]): boolean {
  if (test.skip !== undefined) return true
  return test.ok && inside.length > 0 && inside.every((result) => result.skip !== undefined)
}

function tallyOf(file: string, result: FileResult | undefined): Tally {
  if (result === undefined) return fault(`${file} came to no end`)
  const { tests } = result
  const skipped = tests.filter((test) => test.skipped).length
  const failures = tests.filter((test) => !test.skipped && !test.ok)
  const passed = tests.length - skipped - failures.length
  const names = failures.map((test) => `${file} > ${test.name}`)
  const own = faultOf(file, result, failures.length)
  if (own !== undefined) names.push(own)
  const all = tests.length === 0 && own === undefined ? 1 : skipped
  return { passed, failed: names.length, skipped: all, failures: names }
}

/** What is wrong with the file itself, beyond its tests. */
function faultOf(file: string, result: FileResult, failures: number): string | undefined {
  if (!result.ok && failures === 0) return `${file} crashed, or ended with an error`
  if (result.tests.length > 0) return undefined
  const reasoned = result.skip !== undefined && result.skip !== 'no tests found'
  return reasoned ? undefined : `${file} runs no test`
}

function fault(text: string): Tally {
  return { passed: 0, failed: 1, skipped: 0, failures: [text] }
}

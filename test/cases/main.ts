import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseJson } from './json.ts'
import { findKind } from './kinds.ts'
import { countResults, describeResult, resultsAsJson, showProgress, summary } from './report.ts'
import { runCases } from './run-cases.ts'

const usage = 'npm run cases -- KIND FILE [--only TEXT] [--json OUT]'

process.exitCode = await main(process.argv.slice(2))
// A connector under test that hangs must not keep the run from ending.
process.exit()

/** 0: none failed, 1: some did, 2: nothing could be run. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const { kind, file, only, json } = readArguments(args)
    const entries = readCases(file)
    await using suite = await kind.open(entries, only)
    if (suite.cases.length === 0) throw new Error(`No case has a name that contains '${only}'.`)
    const progress = showProgress(process.stdout, suite.cases.length)
    let failed = 0
    const results = await runCases(suite, (result, count) => {
      if (result.outcome.result === 'failed') failed++
      progress(count, failed, result.name)
    })
    process.stdout.write(results.map(describeResult).join(''))
    if (json !== undefined) writeFileSync(json, resultsAsJson(kind.name, file, results))
    console.log(summary(results))
    return countResults(results).failed > 0 ? 1 : 0
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 2
  }
}

function readArguments(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { only: { type: 'string' }, json: { type: 'string' } },
    allowPositionals: true,
  })
  const [kind, file] = positionals
  if (kind === undefined || file === undefined || positionals.length > 2) {
    throw new Error(`Usage: ${usage}`)
  }
  return { kind: findKind(kind), file, only: values.only ?? '', json: values.json }
}

function readCases(file: string): readonly unknown[] {
  const entries = parseJson(readFileSync(file, 'utf8'))
  if (!Array.isArray(entries)) throw new Error(`${file} holds no list of cases.`)
  return entries
}

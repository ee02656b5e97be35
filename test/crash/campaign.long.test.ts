import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { skipNow } from '../support/servers/skip-now.ts'
import { sabotageKinds, sabotages } from './sabotage.ts'

/**
 * Without the server that takes longest to start, and with less patience: there is nothing to wait
 * for.
 */
const quick = ['--search', 'none', '--patience', '20']

const timeout = 1_800_000

const result = /^rounds (\d+), kills (\d+), lost (\d+), wrong (\d+), regressions (\d+)$/

const logs = { embedded: ['--rounds', '20'], kafka: ['--rounds', '20', '--log', 'kafka'] }

for (const [log, args] of Object.entries(logs)) {
  test(`nothing is lost, wrong or falls back on the ${log} log, whenever the program is killed`, {
    timeout,
  }, async (t) => {
    const { code, rounds, kills, faults, output } = await campaign(t, ...args, '--seed', '7')
    t.strictSame(
      { code, rounds, kills, faults },
      { code: 0, rounds: 20, kills: 20, faults: 0 },
      output,
    )
  })

  for (const sabotage of sabotages) {
    test(`a program on the ${log} log that is broken by ${sabotage} is found out`, {
      timeout,
    }, async (t) => {
      const kinds = ['--kinds', ['snapshot', ...sabotageKinds[sabotage]].join(',')]
      const args = ['--rounds', '4', '--seed', '7', '--log', log, '--sabotage', sabotage, ...kinds]
      const { code, kills = 0, faults, output } = await campaign(t, ...args, ...quick)
      t.equal(code, 1, output)
      t.ok(kills > 0 && faults > 0, output)
    })
  }
}

async function campaign(t: Test, ...args: readonly string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  const missing = /^missing: (.*)$/m.exec(output)?.[1]
  if (missing !== undefined && process.env.CI !== 'true') await skipNow(t, missing)
  const numbers = result.exec(output.trimEnd().split('\n').at(-1)!)?.slice(1).map(Number) ?? []
  const [rounds, kills, lost = 0, wrong = 0, regressions = 0] = numbers
  return { code, rounds, kills, faults: lost + wrong + regressions, output }
}

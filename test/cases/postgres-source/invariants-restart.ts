import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../../src/core/errors.ts'
import { isObject, printJson } from '../json.ts'
import type { Delivery } from './delivery.ts'
import type { Invariant } from './invariants.ts'
import { hasValue } from './play.ts'

/** A slot moves with the next acknowledgement or keepalive. */
const slotMs = 3_000

/** Of consumers that stop and start again, and of what the slot holds for them. */
export const invariantsOfRestart: readonly Invariant[] = [
  {
    grammar: /^(first|second) run delivers (\w+) (\d+)\.\.(\d+)(?: \(\d+ records\) in order)?$/,
    check({ play }, ...[which, column = '', first, last]) {
      const run = play.runs[which === 'first' ? 0 : 1]
      if (run === undefined) return 'there was no such run'
      const from = Number(first)
      const expected = Array.from({ length: Number(last) - from + 1 }, (_, i) => from + i)
      const actual = run.consumer.delivered.map(({ after }) => isObject(after) && after[column])
      return printJson(actual) === printJson(expected)
        ? undefined
        : `it delivers ${printJson(actual)}`
    },
  },
  {
    grammar:
      /^(\w+), (\w+), (\w+) delivered exactly once each in commit order \(\1 before \2, \3\)$/,
    check({ all }, ...values) {
      const rows = all.filter((delivery) => values.some((value) => hasValue(delivery, value)))
      const inOrder =
        rows.length === values.length && values.every((value, i) => hasValue(rows[i]!, value))
      return inOrder ? undefined : `delivered: ${printJson(rows.map(({ after }) => after))}`
    },
  },
  {
    grammar: /^(\w+) is not lost although its row LSN is below the acknowledged LSN$/,
    check({ all, play }, value = '') {
      const found = all.find((delivery) => hasValue(delivery, value))
      if (found === undefined) return 'it is lost'
      const acknowledged = commitEndBefore(play.runs[0]?.consumer.delivered ?? [])
      const lsn = isObject(found.source) ? Number(found.source.lsn) : Number.NaN
      return lsn < acknowledged ? undefined : `its LSN ${lsn} is not below ${acknowledged}`
    },
  },
  {
    grammar: /^gap is reported \(or re-snapshot\), because START_REPLICATION .*$/,
    check({ play }) {
      const { error, consumer } = play.run
      if (error instanceof MillraceError && error.kind === 'fatal') return undefined
      const reread = consumer.delivered.filter(({ op }) => op === 'r')
      if (reread.some((delivery) => hasValue(delivery, 'never read'))) return undefined
      return error === undefined ? 'neither happened' : `another error came: ${error}`
    },
  },
  {
    grammar: /^confirmed_flush_lsn of the slot advances$/,
    async check({ play }) {
      const { server } = play.stage
      const deadline = performance.now() + slotMs
      for (;;) {
        const confirmed = await server.confirmedLsn(play.run.slot)
        if (confirmed !== undefined && confirmed > play.confirmedAtStart) return undefined
        if (performance.now() > deadline) return `it stays at ${confirmed}`
        await sleep(50)
      }
    },
  },
]

/** The acknowledged end of the first run's last commit lies above the LSN of its last row. */
function commitEndBefore(delivered: readonly Delivery[]): number {
  const source = delivered.at(-1)?.source
  return isObject(source) ? Number(source.lsn) : Number.NaN
}

import { isObject, printJson } from '../json.ts'
import type { Delivery } from './delivery.ts'
import type { Invariant } from './invariants.ts'

/** Of snapshots that are read while the stream goes on. */
export const invariantsOfIncremental: readonly Invariant[] = [
  {
    grammar:
      /^topic (\S+) gets op r for every (\w+) (\d+)\.\.(\d+) with (\w+) = \2-(\d+), each at least once, source\.snapshot = incremental$/,
    check({ all }, ...[topic = '', key = '', first, last, column = '', less]) {
      const read = all.filter((delivery) => delivery.topic === topic && delivery.op === 'r')
      const marked = read.every(
        ({ source }) => isObject(source) && source.snapshot === 'incremental',
      )
      if (!marked) return 'a record has another source.snapshot'
      const wrong = read.find(
        (delivery) =>
          Number(field(delivery, column)) !== Number(field(delivery, key)) - Number(less),
      )
      if (wrong !== undefined) return `wrong row ${printJson(wrong.after)}`
      const seen = new Set(read.map((delivery) => Number(field(delivery, key))))
      for (let i = Number(first); i <= Number(last); i++) {
        if (!seen.has(i)) return `${key} ${i} is missing (${seen.size} of them came)`
      }
      return undefined
    },
  },
  {
    grammar: /^no r record for a key arrives after a newer c\/u for the same key$/,
    check({ all }) {
      const newest = new Map<string, string>()
      for (const { topic, key, op, after } of all) {
        const place = `${topic} ${printJson(key)}`
        const row = printJson(after)
        if (op === 'c' || op === 'u') newest.set(place, row)
        const newer = newest.get(place)
        if (op === 'r' && newer !== undefined && newer !== row) return `${row} came after ${newer}`
      }
      return undefined
    },
  },
  {
    grammar: /^last record per key has (\w+) = (\w+)-1\+(\d+) \(no stale r after u\)$/,
    check({ all, play }, column = '', key = '', more) {
      const signals = play.stage.options as Readonly<Record<string, unknown>>
      const own = `test_server.${signals['signal.data.collection']}`
      const last = new Map<string, Delivery>()
      for (const delivery of all) {
        if (delivery.topic !== own) last.set(printJson(delivery.key), delivery)
      }
      if (last.size === 0) return 'nothing was delivered'
      if (!all.some(({ op }) => op === 'r')) return 'no snapshot was taken'
      const wrong = [...last.values()].find(
        (one) => Number(field(one, column)) !== Number(field(one, key)) - 1 + Number(more),
      )
      return wrong && `the last record has ${printJson(wrong.after)}`
    },
  },
]

function field({ after }: Delivery, column: string): unknown {
  return isObject(after) ? after[column] : undefined
}

import { isObject, printJson } from '../json.ts'
import type { Delivery } from './delivery.ts'
import type { Evidence, Invariant } from './invariants.ts'
import { peakGrowthMb } from './peak-memory.ts'
import { pairs } from './steps.ts'

const transactionTopic = 'test_server.transaction'
/**
 * Rows of the large transaction: half a gigabyte of records, which must not be in memory at once.
 */
const rowsOfGiant = 500_000
const memoryLimitMb = 200

/** Of transactions, their topic and their size. */
export const invariantsOfTransactions: readonly Invariant[] = [
  {
    grammar: /^exactly one BEGIN and at least one END record for the transaction id$/,
    check({ all }) {
      const begins = marks(all, 'BEGIN')
      const ids = new Set(begins.map(({ id }) => id))
      const ends = marks(all, 'END').filter(({ id }) => ids.has(id))
      if (begins.length === 1 && ends.length > 0) return undefined
      return `${begins.length} BEGIN and ${ends.length} END`
    },
  },
  {
    grammar:
      /^data_collection_order per table is consecutive 1\.\.n across the restart \(duplicates allowed, no gaps\)$/,
    check({ all }) {
      const orders = new Map<string, number>()
      for (const { topic, transaction, op } of all) {
        if (op !== 'c') continue
        const order = Number(isObject(transaction) ? transaction.data_collection_order : NaN)
        const before = orders.get(topic) ?? 0
        if (!(order >= 1 && order <= before + 1)) return `${order} after ${before} on ${topic}`
        orders.set(topic, Math.max(before, order))
      }
      const complete = orders.size === 2 && [...orders.values()].every((last) => last === pairs)
      return complete ? undefined : `the last of ${pairs}: ${printJson(Object.fromEntries(orders))}`
    },
  },
  {
    grammar: /^END\.event_count = 2n$/,
    check({ all }) {
      const counts = marks(all, 'END').map((mark) => mark.event_count)
      const right = counts.length > 0 && counts.every((count) => count === 2 * pairs)
      return right ? undefined : `n is ${pairs}, END has ${printJson(counts)}`
    },
  },
  {
    grammar: /^all records share one source\.txId$/,
    check({ all }) {
      const ids = new Set(all.map(({ source }) => (isObject(source) ? source.txId : undefined)))
      const shared = ids.size === 1 && !ids.has(undefined) && !ids.has(null)
      return shared ? undefined : `${ids.size} of them: ${printJson([...ids].slice(0, 5))}`
    },
  },
  {
    grammar: /^memory stays bounded: repeat with \d+M rows$/,
    check: checkMemory,
  },
]

function marks(all: readonly Delivery[], status: string): Readonly<Record<string, unknown>>[] {
  return all
    .filter(({ topic }) => topic === transactionTopic)
    .map(({ value }) => value)
    .filter((value) => isObject(value))
    .filter((value) => value.status === status)
}

/**
 * A reader that held the transaction would grow by all of it; ten million rows are for the bench.
 */
async function checkMemory({ play, dml }: Evidence): Promise<string | undefined> {
  const series = /generate_series\(1,\d+\)/
  const statement = dml.find((line) => series.test(line))
  if (statement === undefined) return 'there is no statement to repeat'
  const { consumer } = play.run
  consumer.keeps = false
  const target = consumer.count + rowsOfGiant
  const growth = await peakGrowthMb(async (hasTime) => {
    await play.query(statement.replace(series, `generate_series(1,${rowsOfGiant})`))
    while (consumer.count < target && !play.run.hasEnded && (await hasTime())) {}
  })
  if (consumer.count < target)
    return `${target - consumer.count} of ${rowsOfGiant} rows did not come`
  return growth <= memoryLimitMb
    ? undefined
    : `it grew by ${growth} MB at ${rowsOfGiant} rows; ${memoryLimitMb} MB are allowed`
}

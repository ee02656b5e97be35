import { setTimeout as sleep } from 'node:timers/promises'
import type { Expectation } from './case.ts'
import type { Delivery } from './delivery.ts'
import type { Play } from './play.ts'

/** The server sends what is in its WAL within this time, or it does not. */
const sendMs = 10_000
/** What was sent arrives within this time, or it does not. */
const arriveMs = 5_000
/** Chunks of an incremental snapshot take longer. */
const countsMs = 10_000
/** Nothing more comes after so long a pause; longer where no number of records is expected. */
const quietMs = 80
const quietWithoutCountMs = 400

/** Waits until everything written so far has gone through the connector. */
export async function settle(
  play: Play,
  expect: Expectation,
  isRelevant: (delivery: Delivery) => boolean,
): Promise<void> {
  const { server } = play.stage
  const { run } = play
  const lsn = await server.fence()
  await within(sendMs, async () => run.hasEnded || (await server.wasSent(run.slot, lsn)) === true)
  const arrived = () => hasArrived(expect, play.delivered.filter(isRelevant))
  const patience = expect.countsByTopic === undefined ? arriveMs : countsMs
  await within(patience, () => run.hasEnded || arrived())
  const isCounted = expect.records.length > 0 || expect.countsByTopic !== undefined
  await quiet(play, isCounted ? quietMs : quietWithoutCountMs)
}

function hasArrived(
  { records, countsByTopic = {} }: Expectation,
  delivered: readonly Delivery[],
): boolean {
  if (delivered.length < records.length) return false
  return Object.entries(countsByTopic).every(
    ([topic, count]) => delivered.filter((one) => one.topic === topic).length >= count,
  )
}

async function quiet({ run }: Play, ms: number): Promise<void> {
  for (let count = -1; count !== run.consumer.count && !run.hasEnded; ) {
    count = run.consumer.count
    await sleep(ms)
  }
}

/** Waits until something holds, at most so long: what is missing then is found by comparing. */
async function within(ms: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + ms
  while (performance.now() < deadline && !(await holds())) await sleep(10)
}

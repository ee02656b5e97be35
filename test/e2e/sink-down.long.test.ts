import { test } from 'tap'
import { survive } from './outage.ts'

const mebibytes = 2 ** 20

test(
  'a sink that is down for a minute under load loses nothing, and memory stays flat',
  { timeout: 600_000 },
  (t) =>
    survive(t, {
      downMs: 60_000,
      bytes: 400 * mebibytes,
      growthBytes: 80 * mebibytes,
      pauseMs: 20,
    }),
)

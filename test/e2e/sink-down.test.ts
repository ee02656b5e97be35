import { test } from 'tap'
import { survive } from './outage.ts'

const mebibytes = 2 ** 20

test(
  'a sink that is down for a moment loses nothing, and memory stays flat',
  { timeout: 300_000 },
  (t) =>
    survive(t, {
      downMs: 2_000,
      bytes: 96 * mebibytes,
      growthBytes: 80 * mebibytes,
      pauseMs: 0,
    }),
)

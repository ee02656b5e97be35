import { test } from 'tap'
import type { PartStatus, Status } from '../../../src/launcher/inspect/status.ts'
import {
  showBytes,
  showProgress,
  showSeconds,
  showStatus,
} from '../../../src/launcher/inspect/status-text.ts'

const quiet: PartStatus = {
  kind: 'sink',
  name: 'search',
  state: 'running',
  reason: null,
  topics: ['shop.orders'],
  ...{ records: 1234, applied: 1200, stale: 30, coalesced: 4, filtered: 0, dead: 0, retries: 0 },
  letters: 0,
  lag: { bytes: 0, seconds: 0, records: 0 },
}

const status: Status = {
  v: 1,
  pipeline: 'shop',
  pid: 42,
  startedAt: '2025-01-02T03:04:05.678Z',
  log: { path: '/data/shop', topics: 2, records: 5000 },
  parts: [
    {
      ...quiet,
      kind: 'connector',
      name: 'shop',
      phase: 'snapshot',
      lag: { bytes: null, seconds: null, records: null },
      retainedBytes: 1_500_000,
    },
    { ...quiet, state: 'paused', reason: 'TARGET_BLOCKED: No space. Make some.', dead: 2 },
  ],
}

test('a status is a table, with the reasons below it', async (t) => {
  t.equal(
    showStatus(status),
    `shop: process 42, since 2025-01-02 03:04:05 UTC
log /data/shop: 5,000 records in 2 topics

PART            STATE     RECORDS  APPLIED  STALE  DEAD  LAG       RETAINED WAL
connector shop  snapshot    1,234                          ?    ?        1.5 MB
sink search     paused      1,234    1,200     30     2  0 B  0 s

search: TARGET_BLOCKED: No space. Make some.`,
  )
})

test('progress is one line that names what is not as it should be', async (t) => {
  t.equal(
    showProgress(status),
    'shop: 1,234 records | search: paused, 1,234 records, 0 s behind, 2 dead',
  )
})

test('sizes and times are rounded as people say them', async (t) => {
  const bytes = [0, 999, 1000, 12_345, 1_500_000, 2_000_000_000_000_000]
  t.same(bytes.map(showBytes), ['0 B', '999 B', '1.0 kB', '12 kB', '1.5 MB', '2000 TB'])
  const seconds = [0, 0.04, 1.25, 59, 180, 86_400]
  t.same(seconds.map(showSeconds), ['0 s', '0.0 s', '1.3 s', '59 s', '3 min', '24 h'])
})

test('how long a slot will last stands below the table', async (t) => {
  const [connector, ...others] = status.parts
  const wal = 'WAL kept: 9.0 GB of 10.0 GB, extended, growing by 2.0 MB/s, lost in 8 min'
  const parts = [{ ...connector!, detail: { slot: 'shop', wal } }, ...others]
  t.ok(showStatus({ ...status, parts }).endsWith(`\nshop: ${wal}`))
})

test('what is kept of transactions in progress stands there, too', async (t) => {
  const [connector, ...others] = status.parts
  const detail = { 'streamed.transactions': 1, 'streamed.bytes': 1_500_000 }
  const shown = showStatus({ ...status, parts: [{ ...connector!, detail }, ...others] })
  t.ok(shown.endsWith('\nshop: 1.5 MB kept of transactions in progress'))
})

import { test } from 'tap'
import { policiesOf, type TopicRules } from '../../../src/launcher/config/topic-rules.ts'

const dayMs = 24 * 3600_000
const tables = { prefixes: ['db'], views: ['shop.orders'] }

test('tables, views and internal topics keep one record a key; all else is kept for a time', (t) => {
  const policyOf = policiesOf({}, tables)
  for (const topic of [
    'db.public.orders',
    'shop.orders',
    '__millrace.shop.table.db.public.orders',
  ]) {
    t.match(policyOf(topic), { compacts: true, retentionMs: Number.POSITIVE_INFINITY }, topic)
  }
  for (const topic of ['db.transaction', 'commands', '__debezium-heartbeat.db']) {
    t.match(policyOf(topic), { compacts: false, retentionMs: 7 * dayMs }, topic)
  }
  const letters = { compacts: false, retentionMs: 365 * dayMs }
  t.match(policyOf('shop.orders.dlq'), letters)
  t.match(policyOf('db.public.orders.dlq'), letters)
  t.end()
})

test('ticks, which have no key, are kept for a time', (t) => {
  const table = '__millrace.shop.table.ticks'
  const policyOf = policiesOf({}, { prefixes: ['db'], views: [table] })
  const week = { compacts: false, retentionMs: 7 * dayMs }
  t.match(policyOf('__millrace.shop.perMinute.ticks'), week)
  t.match(policyOf(table), { compacts: true }, 'a table of a topic with that name is none')
  t.match(policyOf('__millrace.shop.table.db.public.ticks'), { compacts: true })
  t.end()
})

test('the first rule whose pattern fits changes what it mentions', (t) => {
  const rules: TopicRules = {
    'db.public.audit': { 'cleanup.policy': 'delete', 'retention.ms': -1 },
    'db.*': { 'delete.retention.ms': 5, 'min.compaction.lag.ms': 6 },
    '*': { 'cleanup.policy': 'compact,delete', 'retention.bytes': 7 },
  }
  const policyOf = policiesOf(rules, tables)
  t.match(policyOf('db.public.audit'), { compacts: false, retentionMs: Number.POSITIVE_INFINITY })
  t.match(policyOf('db.public.orders'), { compacts: true, deleteRetentionMs: 5 })
  t.match(policyOf('db.public.orders'), { minCompactionLagMs: 6 })
  t.match(policyOf('other'), { compacts: true, retentionBytes: 7, retentionMs: 7 * dayMs })
  t.match(policyOf('dbxpublic'), { retentionBytes: 7 }, 'a dot is a dot')
  t.end()
})

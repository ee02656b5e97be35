import { join } from 'node:path'
import { type Test, test } from 'tap'
import { loadConfig } from '../../src/launcher/config/config.ts'
import { showFault } from '../../src/launcher/config/fault.ts'
import { registry } from '../../src/launcher/config/registry.ts'
import { loadViews } from '../../src/launcher/run/views.ts'

const rest = `
connectors:
  db: {type: postgres, url: 'postgres://127.0.0.1/shop', tables: [public.orders]}
views:
  orders: {root: db.public.orders}
`

function load(t: Test, log: string) {
  const folder = t.testdir({ 'pipeline.yaml': `name: shop\nlog: ${log}${rest}` })
  return { folder, loaded: loadConfig(join(folder, 'pipeline.yaml'), registry, {}) }
}

test('a log on Kafka has its own options, and its files lie beside the configuration', (t) => {
  const { folder, loaded } = load(t, '{type: kafka, brokers: "k:9092", tls: {ca: ca.pem}}')
  if (!loaded.ok) return void t.fail(loaded.faults.map(showFault).join('\n'))
  const { log } = loaded.config
  t.match(log, { type: 'kafka', path: join(folder, 'data/shop') })
  t.match(log.kafka, { brokers: 'k:9092', partitions: 1, tls: { ca: join(folder, 'ca.pem') } })
  t.end()
})

test('faults in them are told with their place', (t) => {
  const { loaded } = load(t, '{type: kafka, brokers: [k], delivry: at-least-once}')
  const faults = loaded.ok ? [] : loaded.faults.map(showFault)
  t.match(faults.join('\n'), /log\.brokers.*host:port/)
  t.match(faults.join('\n'), /delivry.*delivery/)
  t.end()
})

test('a view is refused where its topics would have several partitions', async (t) => {
  const { loaded } = load(t, '{type: kafka, brokers: "k:9092", partitions: 3}')
  if (!loaded.ok) return void t.fail(loaded.faults.map(showFault).join('\n'))
  const views = await loadViews(loaded.config)
  const faults = views.ok ? [] : views.faults.map(showFault)
  t.match(faults.join('\n'), /views.*one partition only.*3/)
})

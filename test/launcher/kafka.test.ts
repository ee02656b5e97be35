import { join } from 'node:path'
import { type Test, test } from 'tap'
import { loadConfig } from '../../src/launcher/config/config.ts'
import { showFault } from '../../src/launcher/config/fault.ts'
import { registry } from '../../src/launcher/config/registry.ts'

const usual = `connectors:
  db: {type: postgres, url: 'postgres://127.0.0.1/shop', tables: [public.orders]}
views:
  orders: {root: db.public.orders}
`

function load(t: Test, log: string, rest = usual) {
  const folder = t.testdir({ 'pipeline.yaml': `name: shop\nlog: ${log}\n${rest}` })
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

test('topics have one place for what they keep, and how they are made, written and read', (t) => {
  const rest = `connectors:
  db: {type: postgres, url: 'postgres://127.0.0.1/shop', tables: [public.orders]}
topics:
  db.*: {partitions: 3, cleanup.policy: compact, format: avro}
sinks:
  file: {type: file, from: db.public.orders, path: ./x}
`
  const log = '{type: kafka, brokers: "k:9092", registry: {url: "http://r:8081", tls: {ca: r.pem}}}'
  const { folder, loaded } = load(t, log, rest)
  if (!loaded.ok) return void t.fail(loaded.faults.map(showFault).join('\n'))
  const { config } = loaded
  t.match(config.log.kafka?.topics, { 'db.*': { partitions: 3, format: 'avro' } })
  t.match(config.topicRules, { 'db.*': { 'cleanup.policy': 'compact' } })
  t.equal(config.log.kafka?.registry?.tls?.ca, join(folder, 'r.pem'))
  t.end()
})

test('a pipeline whose topics others write needs no connector', (t) => {
  const rest = `topics: {legacy.orders: {input: {key: string, begin: latest}}}
sinks: {file: {type: file, from: legacy.orders, path: ./x}}
`
  const { loaded } = load(t, '{type: kafka, brokers: "k:9092"}', rest)
  if (!loaded.ok) return void t.fail(loaded.faults.map(showFault).join('\n'))
  t.same(loaded.config.inputs, ['legacy.orders'])
  t.same(loaded.config.topics, ['legacy.orders'])
  t.match(loaded.config.log.kafka?.topics?.['legacy.orders']?.input, {
    ...{ key: 'string', 'key.name': 'key', value: 'json', holds: 'changes', begin: 'latest' },
  })
  t.end()
})

test('what formats and topics of others need is asked for', (t) => {
  const rest = `topics:
  legacy.*: {input: {}}
  legacy.orders: {input: {value: avro, begin: yesterday}}
  other: {key.format: json-schema}
sinks: {file: {type: file, from: legacy.order, path: ./x}}
`
  const { loaded } = load(t, '{type: kafka, brokers: "k:9092", topics: []}', rest)
  const faults = loaded.ok ? '' : loaded.faults.map(showFault).join('\n')
  t.match(faults, /log\.topics: is not an option/)
  t.match(faults, /topics\["legacy\.\*"\]\.input: needs the whole name of one topic/)
  t.match(faults, /legacy\.orders\.input\.value: needs a schema registry: give `log\.registry`/)
  t.match(faults, /legacy\.orders\.input\.begin: .*must be earliest, latest, or a time/)
  t.match(faults, /other\.key\.format: needs a schema registry/)
  t.match(faults, /no view or topic "legacy\.order"; did you mean legacy\.orders/)
  t.end()
})

test('a log in a directory has no topics of others', (t) => {
  const rest = 'topics: {legacy.orders: {input: {}}}\n'
  const { loaded } = load(t, '{}', rest)
  t.match(loaded.ok ? '' : loaded.faults.map(showFault).join('\n'), /input: is not an option/)
  t.end()
})

test('faults in them are told with their place', (t) => {
  const { loaded } = load(t, '{type: kafka, brokers: [k], delivry: at-least-once}')
  const faults = loaded.ok ? [] : loaded.faults.map(showFault)
  t.match(faults.join('\n'), /log\.brokers.*host:port/)
  t.match(faults.join('\n'), /delivry.*delivery/)
  t.end()
})

import { parseArgs } from 'node:util'
import type { Bench } from './bench.ts'
import { decode } from './decode.ts'
import { idle } from './idle.ts'
import { kafkaLatency, kafkaSink, kafkaSource } from './kafka.ts'
import { log } from './log.ts'
import { round } from './measure.ts'
import { path } from './path.ts'
import { redis } from './redis.ts'
import { searchElasticsearch, searchOpensearch } from './search.ts'
import { snapshot } from './snapshot.ts'
import { source, sourceSmall } from './source.ts'
import { sourceHuge } from './source-huge.ts'
import { sourceLatency } from './source-latency.ts'
import { postgresSink, sqlite } from './sql.ts'
import { get, restart } from './state.ts'
import { countWindow, joinFk, joinTable } from './streams.ts'
import { view } from './view.ts'

/** Every benchmark, by name. */
const benches: Readonly<Record<string, Bench>> = {
  source,
  'source-small': sourceSmall,
  'source-huge': sourceHuge,
  'source-latency': sourceLatency,
  snapshot,
  idle,
  log,
  decode,
  view,
  'join-fk': joinFk,
  'join-table': joinTable,
  'count-window': countWindow,
  restart,
  get,
  path,
  redis,
  'kafka-source': kafkaSource,
  'kafka-sink': kafkaSink,
  'kafka-latency': kafkaLatency,
  elasticsearch: searchElasticsearch,
  opensearch: searchOpensearch,
  'postgres-sink': postgresSink,
  sqlite,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string' },
    scale: { type: 'string', default: '1' },
    profile: { type: 'boolean', default: false },
    log: { type: 'string', default: 'embedded' },
  },
})
const bench = benches[positionals[0] ?? '']
if (bench === undefined) {
  const names = Object.keys(benches).join('|')
  console.error(
    `usage: npm run bench -- ${names} [--pairs 5] [--scale 1] [--profile] [--log embedded|kafka]`,
  )
  process.exit(2)
}
const report = await bench({
  pairs: values.pairs === undefined ? undefined : Number(values.pairs),
  scale: Number(values.scale),
  profile: values.profile,
  log: values.log === 'kafka' ? 'kafka' : 'embedded',
})
const rounded = Object.entries(report).map(([name, value]) => [
  name,
  typeof value === 'number' ? round(value) : value,
])
console.log(JSON.stringify(Object.fromEntries(rounded)))
process.exit(0)

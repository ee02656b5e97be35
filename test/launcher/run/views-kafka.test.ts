import t from 'tap'
import type { Config } from '../../../src/launcher/config/config.ts'
import { openParts } from '../../../src/launcher/run/parts.ts'
import { run } from '../../../src/launcher/run/pipeline.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { Topology } from '../../../src/streams/topology.ts'
import { defineView } from '../../../src/streams/view.ts'
import { append, until } from '../../log/kafka/change.ts'
import { directoryOf, openLogIn } from '../../log/kafka/open.ts'
import { useKafka } from '../../support/servers/use.ts'
import { shopRecord, takeFrom, told } from './stream-shop.ts'

const { bootstrap, prefix } = await useKafka(t)
const given = { partitions: 3, sessionTimeoutMs: 6_000 }

const overview = defineView(({ table }) =>
  table<{ id: number; customer: number }, number>(`${prefix}.orders`).join(
    table<{ name: string }, number>(`${prefix}.customers`),
    { on: ({ customer }) => customer, select: ({ id }, { name }) => ({ id, name }) },
  ),
)

function start(log: KafkaLog) {
  const config = {
    ...{ name: prefix, log: { type: 'kafka', path: '', kafka: {} } },
    ...{ connectors: [], views: [], sinks: [], topics: undefined },
  } as unknown as Config
  const topology = new Topology(prefix, { overview })
  const parts = openParts(config, { log, topology, say: () => {} })
  const stopped = new AbortController()
  const running = run(parts, stopped.signal)
  return async () => {
    stopped.abort()
    await running
    await log.close()
  }
}

t.test(
  'views read topics of several partitions whole, and a copy of their state is kept',
  async (t) => {
    const input = openLogIn(directoryOf(t), bootstrap, prefix, given)
    const writer = input.writer(`${prefix}.w`)
    await writer.resume('s')
    const customers = [1, 2, 3].map((id) => shopRecord(prefix, 'customers', [1, id, `c${id}`]))
    const orders = Array.from({ length: 12 }, (_, id) => {
      return shopRecord(prefix, 'orders', [1, id, 1 + (id % 3)])
    })
    await append(writer, [...customers, ...orders], '1')
    const [one, two] = [0, 1].map(() => openLogIn(directoryOf(t), bootstrap, prefix, given))
    const stopOne = start(one!)
    const first = await takeFrom(input, `${prefix}.overview`, 12)
    const wanted = orders.map((_, id) => `{"id":${id}} {"id":${id},"name":"c${1 + (id % 3)}"}`)
    t.same(told(first).sort(), wanted.sort())
    const stopTwo = start(two!)
    // The second one has nothing to do, and follows.
    const group = `${prefix}.views`
    await until(() => two!.replicas(group).replica(0)?.position !== undefined)
    t.type(two!.replicas(group).replica(0)?.ageMs, 'number')
    const changes = [
      shopRecord(prefix, 'customers', [2, 1, 'Ada']),
      shopRecord(prefix, 'orders', [2, 5, 1]),
    ]
    await append(writer, changes, '2')
    const second = (await takeFrom(input, `${prefix}.overview`, 17)).filter(({ value }) => {
      return String(value).includes('Ada')
    })
    t.same(
      told(second).sort(),
      [0, 3, 5, 6, 9].map((id) => `{"id":${id}} {"id":${id},"name":"Ada"}`),
    )
    t.equal(new Set(second.map(({ version }) => version)).size, 1, 'one commit')
    await stopOne()
    await append(writer, [shopRecord(prefix, 'customers', [3, 2, 'Eve'])], '3')
    const third = (await takeFrom(input, `${prefix}.overview`, 21)).filter(({ value }) => {
      return String(value).includes('Eve')
    })
    t.same(
      told(third).sort(),
      [10, 1, 4, 7].map((id) => `{"id":${id}} {"id":${id},"name":"Eve"}`),
    )
    await stopTwo()
    await input.close()
  },
)

import { Admin } from '@platformatic/kafka'
import t from 'tap'
import type { Position } from '../../../src/core/source.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, change, take, texts } from './change.ts'
import { openLog } from './open.ts'

const { bootstrap, prefix } = await useKafka(t)
const dayMs = 86_400_000

/** A topic with a record, and the position behind it, as a reader has left it. */
async function begin(name: string, policy: 'compact' | 'delete') {
  const topic = `${prefix}.${name}`
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: bootstrap.split(',') })
  const configs = [
    { name: 'cleanup.policy', value: policy },
    { name: 'delete.retention.ms', value: String(dayMs) },
  ]
  await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1, configs })
  await admin.close()
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.${name}`)
  await writer.resume('s')
  await append(writer, [change(topic, 0)], 'p0')
  const source = log.reader([topic], 'r')
  let position: Position | undefined
  for await (const batch of source.read(undefined, new AbortController().signal)) {
    position = batch.position
    break
  }
  const more = (n: number) => append(writer, [change(topic, n)], `p${n}`)
  return { topic, log, source, position: position!, more }
}

/** The same place, left so long ago. */
function aged(position: Position, topic: string, ageMs: number): Position {
  const place = JSON.parse(position)
  place.topics[topic][2] = Date.now() - ageMs
  return JSON.stringify(place) as Position
}

t.test(
  'a reader that comes back late, but to all that was written, has missed nothing',
  async (t) => {
    const { topic, log, source, position, more } = await begin('late', 'compact')
    t.equal(JSON.parse(position).topics[topic].length, 3, 'a position says when it was at the end')
    await more(1)
    t.same(texts(await take(source, 1, aged(position, topic, 2 * dayMs))), ['{"n":1}'])
    await log.close()
  },
)

t.test('an idle reader moves its position on, so that its age says how late it is', async (t) => {
  const { topic, log, source, position } = await begin('on', 'compact')
  const old = aged(position, topic, dayMs / 2)
  for await (const batch of source.read(old, new AbortController().signal)) {
    t.match(batch, { records: [], complete: true })
    t.ok(JSON.parse(batch.position).topics[topic][2] > JSON.parse(old).topics[topic][2])
    break
  }
  await log.close()
})

t.test('a topic that is not compacted has no such age', async (t) => {
  const { topic, log, position } = await begin('kept', 'delete')
  t.equal(JSON.parse(position).topics[topic].length, 2)
  await log.close()
})

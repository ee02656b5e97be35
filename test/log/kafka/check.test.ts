import { join } from 'node:path'
import t from 'tap'
import { checkKafka } from '../../../src/log/kafka/check.ts'
import { kafkaOptions } from '../../../src/log/kafka/options.ts'
import { kafkaTopic } from '../../../src/log/kafka/topic-options.ts'
import { serveRegistry } from '../../../src/log/registry/server.ts'
import { collect } from '../../support/collect.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, change } from './change.ts'
import { ForeignClient } from './foreign.ts'
import { openLog } from './open.ts'

const { bootstrap, prefix } = await useKafka(t)
const parse = (brokers: string, given = {}) => {
  return kafkaOptions.parse({ type: 'kafka', brokers: brokers.split(','), ...given })
}

t.test('the doctor says what a cluster has, and what would differ', async (t) => {
  const topic = `${prefix}.checked`
  const log = openLog(bootstrap, prefix)
  const writer = log.writer(`${prefix}.w`)
  await writer.resume('s')
  await append(writer, [change(topic, 0)], 'p')
  await log.close()
  const options = parse(bootstrap, { partitions: 3 })
  const topics = [topic, `${prefix}.later`]
  const found = await collect(checkKafka({ pipeline: prefix, options, topics }))
  const said = found.map(({ level, what }) => `${level} ${what}`).join('\n')
  t.match(said, /ok the cluster \S+ answers, with 1 brokers/)
  t.match(said, /warning 1 brokers/)
  t.match(said, /warning the topic \S+\.checked has 1 partitions, the configuration asks for 3/)
  t.match(said, /ok the topic \S+\.later will be made/)
})

t.test('the doctor asks for the registry, and for the topics of others', async (t) => {
  const server = await serveRegistry({ path: join(t.testdir({}), 'schemas.ndjson') })
  const topic = `${prefix}.others`
  const topics = { [topic]: kafkaTopic.parse({ input: {} }) }
  const said = async () => {
    const options = { ...parse(bootstrap, { registry: { url: server.url } }), topics }
    const checked = { pipeline: prefix, options, topics: [topic] }
    const found = await collect(checkKafka(checked))
    return found.map(({ level, what }) => `${level} ${what}`).join('\n')
  }
  const before = await said()
  t.match(before, /ok the schema registry at 127\.0\.0\.1:\d+ answers/)
  t.match(before, /error there is no topic \S+\.others, which others write/)
  await new ForeignClient(bootstrap).createTopic(topic, 3)
  await server.close()
  const after = await said()
  t.match(after, /error CONNECTION_LOST: No answer from the registry/)
  t.match(after, /ok the topic \S+\.others exists/)
})

t.test('the doctor says that nobody answers', async (t) => {
  const options = parse('127.0.0.1:9')
  const [found] = await collect(checkKafka({ pipeline: prefix, options, topics: [] }))
  t.match(found, { level: 'error', what: /CONNECTION_LOST: .*127\.0\.0\.1:9/ })
})

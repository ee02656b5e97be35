import t from 'tap'
import { checkKafka } from '../../../src/log/kafka/check.ts'
import { kafkaOptions } from '../../../src/log/kafka/options.ts'
import { collect } from '../../support/collect.ts'
import { useKafka } from '../../support/servers/use.ts'
import { append, change } from './change.ts'
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

t.test('the doctor says that nobody answers', async (t) => {
  const options = parse('127.0.0.1:9')
  const [found] = await collect(checkKafka({ pipeline: prefix, options, topics: [] }))
  t.match(found, { level: 'error', what: /CONNECTION_LOST: .*127\.0\.0\.1:9/ })
})

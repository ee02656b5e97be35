import t from 'tap'
import { startKafka } from './kafka.ts'

t.test('Kafka with three brokers loses one and takes it back', async (t) => {
  const kafka = await startKafka({ brokers: 3 })
  t.teardown(() => kafka.stop())
  t.equal(kafka.bootstrap.split(',').length, 3)
  await kafka.kill(2)
  await t.resolves(kafka.restart(2))
})

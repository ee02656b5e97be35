import t from 'tap'
import { useKafka } from '../../support/servers/use.ts'
import { kafkaContract } from './contract.ts'

const { bootstrap } = await useKafka(t)

kafkaContract('a log on Kafka', bootstrap)
kafkaContract('a log on Kafka at least once, compressed,', bootstrap, {
  delivery: 'at-least-once',
  compression: 'zstd',
})

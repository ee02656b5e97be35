import t from 'tap'
import { useKafka } from '../../support/servers/use.ts'
import { kafkaContract } from './contract.ts'

const { bootstrap } = await useKafka(t, { brokers: 3 })

kafkaContract('a log on three brokers', bootstrap)

import type { KafkaLog } from '../../log/kafka/kafka-log.ts'
import { didYouMean } from '../config/nearest.ts'
import { CommandFailure } from '../exit.ts'
import { show, type TapOptions, type Tapped } from './tap.ts'

/** The records of a topic on Kafka, and those that come. Throws if there is no such topic. */
export async function* tapKafka(
  log: KafkaLog,
  { topic, from }: TapOptions,
  signal: AbortSignal,
): AsyncGenerator<Tapped> {
  const topics = await log.topics()
  if (!topics.includes(topic)) {
    throw new CommandFailure(`there is no topic ${topic}${didYouMean(topic, topics)}`)
  }
  for await (const record of log.tap(topic, from, signal)) yield show(record)
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { z } from 'zod'
import { type KafkaLog, openKafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { kafkaOptions } from '../../../src/log/kafka/options.ts'
import { kafkaTopic } from '../../../src/log/kafka/topic-options.ts'

export type GivenOptions = Record<string, unknown>

/** A log with a directory of its own, as the configuration would open it. */
export function openLog(bootstrap: string, pipeline: string, given: GivenOptions = {}): KafkaLog {
  return openLogIn(mkdtempSync(join(tmpdir(), 'millrace-kafka-log-')), bootstrap, pipeline, given)
}

export function openLogIn(
  path: string,
  bootstrap: string,
  pipeline: string,
  given: GivenOptions = {},
): KafkaLog {
  const { topics = {}, ...rest } = given
  const options = kafkaOptions.parse({ type: 'kafka', brokers: bootstrap.split(','), ...rest })
  const rules = z.record(z.string(), kafkaTopic).parse(topics)
  return openKafkaLog({ pipeline, path, options: { ...options, topics: rules } })
}

/** A directory that goes with the test. */
export function directoryOf(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-kafka-log-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

import type { Log } from '../../core/log.ts'
import { keepAll, type PolicyOf } from '../../core/topic-policy.ts'
import { keepClean } from '../../log/cleaner.ts'
import { openEmbeddedLog } from '../../log/embedded.ts'
import type { KafkaOptions } from '../../log/kafka/options.ts'
import type { Topology } from '../../streams/topology.ts'
import type { Config } from '../config/config.ts'
import type { Question } from '../control/control.ts'
import { operate } from '../control/operate.ts'
import { tapKafka } from '../inspect/kafka-tap.ts'
import { tap } from '../inspect/tap.ts'
import { cleaningOf, policyOfConfig } from './cleaning.ts'
import type { Parts } from './pipeline.ts'
import { Reindexes } from './reindexes.ts'

/** A log, whichever it is, with what a running program does with it beside its parts. */
export interface OpenedLog {
  readonly log: Log
  /** How many dead letters of a group wait. */
  letters(group: string): number
  /** Begins what runs beside the parts, until `signal` aborts, and answers other commands. */
  serve(parts: Parts, signal: AbortSignal): Serving
}

export interface Serving {
  answer(asked: Asked, signal: AbortSignal): AsyncIterable<unknown>
  /** Resolves once nothing runs any more. */
  readonly done: Promise<unknown>
}

/** What is not answered without the log. */
export type Asked = Exclude<Question, { readonly ask: 'status' | 'snapshot' | 'connector' }>

export interface Opening {
  readonly config: Config
  readonly topology: Topology
  readonly say: (line: string) => void
}

/** Throws `LOG_IN_USE` if another process has the data directory. */
export function openLog(opening: Opening): Promise<OpenedLog> {
  const { kafka } = opening.config.log
  return kafka === undefined ? openEmbedded(opening) : openKafka(opening, kafka)
}

async function openEmbedded({ config, topology, say }: Opening): Promise<OpenedLog> {
  const { path } = config.log
  const log = await openEmbeddedLog({ path })
  return {
    log,
    letters: (group) => log.letters.open(group),
    serve: (parts, signal) => {
      const reindexes = new Reindexes(log, path, signal)
      reindexes.continue(parts.sinks)
      const tidying = keepClean(log, cleaningOf(config, topology, say), signal)
      const operated = { parts, log, directory: path, reindexes }
      return {
        answer: (asked, signal) =>
          asked.ask === 'tap' ? tap(log, asked, signal) : operate(operated, asked, signal),
        done: tidying.then(() => reindexes.close()),
      }
    },
  }
}

/** The client is loaded only by those who use it. */
async function openKafka({ config, topology }: Opening, options: KafkaOptions): Promise<OpenedLog> {
  const { openKafkaLog } = await import('../../log/kafka/kafka-log.ts')
  const { name: pipeline } = config
  const { path } = config.log
  const log = openKafkaLog({ pipeline, path, options, keep: keptOnKafka(config, topology) })
  return {
    log,
    letters: (group) => log.letters(group),
    serve: (parts) => ({
      answer: (asked, signal) => {
        if (asked.ask === 'tap') return tapKafka(log, asked, signal)
        const operated = { parts, directory: path, log: undefined, reindexes: undefined }
        return operate(operated, asked, signal)
      },
      done: Promise.resolve(),
    }),
  }
}

/**
 * As on the embedded log, except that connectors' topics are kept whole unless a rule says
 * otherwise: a broker that compacts knows nothing of columns that a later record leaves out, and
 * takes no record without a key.
 */
function keptOnKafka(config: Config, topology: Topology): PolicyOf {
  const given = policyOfConfig(config, topology)
  const byDefault = policyOfConfig({ ...config, topicRules: {} }, topology)
  const views = new Set(topology.views.map(({ topic }) => topic))
  return (topic) => {
    const policy = given(topic)
    const isRuled = JSON.stringify(policy) !== JSON.stringify(byDefault(topic))
    return isRuled || views.has(topic) || !policy.compacts ? policy : keepAll
  }
}

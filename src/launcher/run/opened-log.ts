import type { Log } from '../../core/log.ts'
import { keepClean } from '../../log/cleaner.ts'
import { openEmbeddedLog } from '../../log/embedded.ts'
import { inspectOwn } from '../../log/embedded-inspection.ts'
import type { KafkaOptions } from '../../log/kafka/options.ts'
import type { Topology } from '../../streams/topology.ts'
import type { Config } from '../config/config.ts'
import type { Question } from '../control/control.ts'
import { operate } from '../control/operate.ts'
import { tapKafka } from '../inspect/kafka-tap.ts'
import { tap } from '../inspect/tap.ts'
import { cleaningOf } from './cleaning.ts'
import { keptOnKafka } from './kafka-topics.ts'
import type { Parts } from './pipeline.ts'
import { Reindexes } from './reindexes.ts'

/** A log, whichever it is, with what a running program does with it beside its parts. */
export interface OpenedLog {
  readonly log: Log
  /** Tells other instances where this one answers questions. */
  announce(url: string): void
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
    announce: () => {},
    letters: (group) => log.letters.open(group),
    serve: (parts, signal) => {
      const forget = async (group: string) => log.groups.remove(group)
      const membersOf = async () => []
      const reindexes = new Reindexes({ log, forget, membersOf, directory: path }, signal)
      reindexes.continue(parts.sinks)
      const tidying = keepClean(log, cleaningOf(config, topology, say), signal)
      const { letters } = log
      const box = { log: inspectOwn(log), settle: letters.settle.bind(letters) }
      const operated = { parts, log, box, directory: path, reindexes }
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
    announce: (url) => {
      log.url = url
    },
    letters: (group) => log.letters(group),
    serve: (parts, signal) => {
      const inspection = log.inspect()
      const forget = (group: string) => inspection.forget(group)
      const membersOf = (group: string) => inspection.membersOf(group)
      const reindexes = new Reindexes({ log, forget, membersOf, directory: path }, signal)
      reindexes.continue(parts.sinks)
      const box = { log: inspection, settle: log.settle.bind(log) }
      const operated = { parts, log, box, directory: path, reindexes }
      const over = once(signal)
      return {
        answer: (asked, signal) =>
          asked.ask === 'tap' ? tapKafka(log, asked, signal) : operate(operated, asked, signal),
        done: over.then(() => reindexes.close()).then(() => inspection.close()),
      }
    },
  }
}

function once(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

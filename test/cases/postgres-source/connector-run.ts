import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresOptions } from '../../../connectors/postgres/options.ts'
import { PostgresSource } from '../../../connectors/postgres/source.ts'
import { kindOf } from '../../../src/core/errors.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import type { EmbeddedLog } from '../../../src/log/embedded.ts'
import { Consumer, ConsumerStopped, type StopAt } from './consumer.ts'

/** A restarted connector waits so long for the server to let go of its slot. */
const retryMs = 5_000

/** One life of a connector: from the database through the pump into the log, until stopped. */
export class ConnectorRun {
  readonly consumer: Consumer
  readonly slot: string
  readonly #source: PostgresSource
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  /** Why it ended by itself; undefined while it runs, and after an end in order. */
  error: unknown
  hasEnded = false

  constructor(options: PostgresOptions, log: EmbeddedLog, stopAt?: StopAt) {
    this.slot = options['slot.name'] ?? ''
    this.consumer = new Consumer(log.writer('cases.test_server'), stopAt)
    const context = { pipeline: 'cases', name: 'test_server', say: () => {} }
    this.#source = new PostgresSource(options, context)
    this.#ended = this.#run().then(
      () => this.#end(undefined),
      (error) => this.#end(error),
    )
  }

  /** Resolves once changes from now on are part of the stream, or once the connector has ended. */
  async ready(): Promise<void> {
    while (!this.hasEnded && this.#source.status().phase !== 'streaming') await sleep(5)
  }

  get stoppedByConsumer(): boolean {
    return this.error instanceof ConsumerStopped
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  #end(error: unknown): void {
    this.hasEnded = true
    this.error = this.#stop.signal.aborted ? undefined : error
  }

  async #run(): Promise<void> {
    const deadline = performance.now() + retryMs
    for (;;) {
      try {
        const pipe = { source: this.#source, sink: this.consumer, meter: new Meter() }
        return await pump({ ...pipe, deadLetters: refuseDeadLetters }, this.#stop.signal)
      } catch (error) {
        if (kindOf(error) !== 'transient' || performance.now() > deadline) throw error
        await sleep(50)
      }
    }
  }
}

async function refuseDeadLetters(): Promise<void> {
  throw new Error('the log refused a record')
}

import '../../../src/core/small-heap.ts'
import { postgresOptions } from '../../../connectors/postgres/options.ts'
import { PostgresSource } from '../../../connectors/postgres/source.ts'
import { Meter } from '../../../src/core/meter.ts'
import { pump } from '../../../src/core/pump.ts'
import { openEmbeddedLog } from '../../../src/log/embedded.ts'

export interface WiringOptions {
  readonly url: string
  /** Of the log. */
  readonly path: string
  readonly slot: string
  /** `schema.table`. */
  readonly table: string
}

/** The connector as the program wires it, into a log of its own; `start` begins to move records. */
export async function wire({ url, path, slot, table }: WiringOptions) {
  const log = await openEmbeddedLog({ path })
  const writer = log.writer('bench')
  const options = postgresOptions.parse({
    ...{ url, tables: [table], 'slot.name': slot, 'publication.name': 'bench' },
  })
  const source = new PostgresSource(options, { pipeline: 'bench', name: 'shop', say: () => {} })
  const meter = new Meter()
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  /** Looks every 2 ms; a failure of the pump ends it, too. */
  const until = async (isReached: () => boolean) => {
    while (!isReached()) {
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 2))])
    }
  }
  return {
    ...{ log, writer, meter, signal: stop.signal },
    topic: `shop.${table}`,
    start(): void {
      const deadLetters = async () => {}
      running = pump({ source, sink: writer, deadLetters, meter }, stop.signal)
    },
    moved: (records: number) => until(() => meter.records >= records),
    streaming: () => until(() => source.status().phase === 'streaming'),
    async end(): Promise<void> {
      stop.abort()
      await running
      await log.close()
    },
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { LogRecord } from '../core/record.ts'
import type { Source } from '../core/source.ts'
import { type Environment, getJson, openEnvironment } from './environment.ts'
import { Lanes } from './lanes.ts'
import type { Start } from './position.ts'
import { type OpenCommit, type Readable, visibleEnd } from './readable.ts'
import { LogReader } from './reader.ts'

/** How often a log that another process writes is looked at. */
const pollMs = 200

/** A log that another process may be writing. */
export class ReadOnlyLog implements Readable {
  readonly environment: Environment
  readonly lanes: Lanes
  #closed = false

  constructor(path: string) {
    this.environment = openEnvironment(path, true)
    this.lanes = new Lanes(this.environment)
  }

  get history(): readonly Start[] {
    return getJson<Start[]>(this.environment.meta, 'starts') ?? []
  }

  get head(): number {
    return getJson<number>(this.environment.meta, 'head') ?? 1
  }

  visible(topics: readonly string[]): number {
    const open: [string, OpenCommit][] = []
    for (const { key, value } of this.environment.open.getRange()) {
      open.push([key, JSON.parse(value.toString()) as OpenCommit])
    }
    return visibleEnd(this, open, topics)
  }

  async grown(): Promise<void> {
    await sleep(pollMs)
    if (!this.#closed) this.lanes.refresh()
  }

  keepGroup(): void {}

  reader(topics: readonly string[]): Source<LogRecord> {
    return new LogReader(this, topics, 'tap')
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.environment.root.close()
  }
}

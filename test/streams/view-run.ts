import type { NewRecord } from '../../src/core/record.ts'
import { Topology } from '../../src/streams/topology.ts'
import type { ViewDefinition } from '../../src/streams/view.ts'
import { ViewTask, type ViewTaskOptions } from '../../src/streams/view-task.ts'
import { fold, run, type TestChange, TestLog } from './changes.ts'
import { MemoryTask } from './memory-task.ts'

/** A log, a task in memory, and views between them. */
export class ViewRun {
  readonly log = new TestLog()
  readonly task = new MemoryTask()
  #views: Readonly<Record<string, ViewDefinition>>
  #options: Partial<ViewTaskOptions>

  constructor(
    views: Readonly<Record<string, ViewDefinition>>,
    options: Partial<ViewTaskOptions> = {},
  ) {
    this.#views = views
    this.#options = options
  }

  /** Goes on with other definitions. */
  define(
    views: Readonly<Record<string, ViewDefinition>>,
    options: Partial<ViewTaskOptions> = {},
  ): void {
    this.#views = views
    this.#options = options
  }

  open(): ViewTask {
    const topology = new Topology('shop', this.#views)
    return new ViewTask({ topology, task: this.task, release: '1.2.3', ...this.#options })
  }

  /** Commits the changes, lets a newly started task read on, and returns what that told. */
  async commit(...changes: readonly TestChange[]): Promise<readonly NewRecord[]> {
    this.log.commit(...changes)
    return this.read()
  }

  async read(cuts?: ReadonlySet<number>): Promise<readonly NewRecord[]> {
    const before = this.task.records.length
    await run(this.open(), this.log, cuts)
    return this.task.records.slice(before)
  }

  /** The documents of a view, as its topic has them. */
  documents(view: string): Record<string, unknown> {
    return Object.fromEntries(fold(this.task.records).get(`shop.${view}`) ?? [])
  }
}

/** Records in short: `c {"id":1} {…}`, `d {"id":1}`, `tombstone {"id":1}`. */
export function told(records: readonly NewRecord[]): string[] {
  return records.map(({ key, value }) => {
    if (value === null) return `tombstone ${key}`
    const { op, after } = JSON.parse(String(value)) as { op: string; after: unknown }
    return `${op} ${key}${after === null ? '' : ` ${JSON.stringify(after)}`}`
  })
}

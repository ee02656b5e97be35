import type { Task } from '../core/log.ts'
import type { NewRecord } from '../core/record.ts'
import type { Checkpoint, Outcome } from '../core/sink.ts'
import type { Batch, Position } from '../core/source.ts'
import type { Store } from '../core/store.ts'
import type { EmbeddedLog } from './embedded.ts'
import { getJson, json } from './environment.ts'
import { StagedStore } from './staged-store.ts'

/** A writer with state: records, state and input position in one transaction. */
export class LogTask implements Task {
  readonly name: string
  readonly #log: EmbeddedLog
  readonly #store: StagedStore
  #staged: (readonly NewRecord[])[] = []
  #complete = true

  constructor(log: EmbeddedLog, name: string) {
    this.name = name
    this.#log = log
    this.#store = new StagedStore(log.environment.state, taskId(log, name))
  }

  get store(): Store {
    return this.#store
  }

  async resume(_source: string): Promise<Position | undefined> {
    this.#staged = []
    this.#store.drop()
    return getJson<{ position: Position }>(this.#log.environment.positions, this.name)?.position
  }

  /** Starts again from the beginning of the log, without state. */
  async clear(): Promise<void> {
    this.#staged = []
    this.#store.drop()
    for (const [key] of this.#store.scan(Buffer.alloc(0))) this.#store.delete(key)
    await this.#log.commit(this.name, () => {
      this.#store.queue()
      this.#log.environment.positions.remove(this.name)
    })
    this.#store.drop()
  }

  async write({ records, complete }: Batch<NewRecord>): Promise<readonly Outcome[]> {
    if (records.length > 0) this.#staged.push(records)
    this.#complete = complete
    return new Array<Outcome>(records.length).fill('applied')
  }

  async commit({ position, timestamp }: Checkpoint): Promise<void> {
    const staged = this.#staged
    this.#staged = []
    await this.#log.commit(this.name, (append) => {
      append(staged, this.#complete)
      this.#store.queue()
      this.#log.environment.positions.put(this.name, json({ position, timestamp }))
    })
    this.#store.drop()
  }

  async close(): Promise<void> {
    this.#staged = []
    this.#store.drop()
  }
}

/** A number for the task's name, given once. */
function taskId({ environment: { meta } }: EmbeddedLog, name: string): number {
  const known = getJson<number>(meta, `task/${name}`)
  if (known !== undefined) return known
  const id = (getJson<number>(meta, 'tasks') ?? 0) + 1
  meta.putSync('tasks', json(id))
  meta.putSync(`task/${name}`, json(id))
  return id
}

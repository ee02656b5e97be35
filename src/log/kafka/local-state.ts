/*
 * What tasks keep on this machine, beside their changelogs: a copy that saves reading the changelog
 * from its beginning, and nothing that could not be made again.
 *
 *   state  task:u32 key → value
 *   meta   `tasks` → how many; `<name>/<partition>` → JSON: see Copy
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import type { Position } from '../../core/source.ts'
import type { OpenPartition } from './position-record.ts'

/** What the copy of a task's state is a copy of, and how far it has come. */
export interface Copy {
  /** The task's number. */
  readonly id: number
  readonly cluster: string
  readonly topicId: string
  /** Offset of the changelog's record that comes next. */
  readonly next: number
  readonly position: Position | null
  /** When it was last known to be as its changelog was, in ms since 1970. */
  readonly at?: number
  /** Inside a commit: the partitions that wait for its end. */
  readonly open?: readonly OpenPartition[]
}

export class LocalState {
  readonly state: Database<Buffer, Buffer>
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #meta: Database<Copy | number, string>

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true })
    const path = join(directory, 'state.mdb')
    const bytes = { encoding: 'binary', keyEncoding: 'binary' } as const
    this.#root = open<Buffer, Buffer>({ path, noSubdir: true, maxDbs: 4, ...bytes })
    this.state = this.#root.openDB<Buffer, Buffer>('state', bytes)
    this.#meta = this.#root.openDB<Copy | number, string>('meta', { encoding: 'json' })
  }

  /** A task's copy; one that was never there is a copy of nothing. */
  copyOf(task: string): Copy {
    const known = this.#meta.get(task) as Copy | undefined
    if (known !== undefined) return known
    const id = ((this.#meta.get('tasks') as number | undefined) ?? 0) + 1
    const fresh = { id, cluster: '', topicId: '', next: 0, position: null }
    this.#meta.putSync('tasks', id)
    this.#meta.putSync(task, fresh)
    return fresh
  }

  /** Changes state and says how far it is a copy by now, both or nothing. */
  change(task: string, copy: Copy, write: () => void): void {
    this.#root.transactionSync(() => {
      write()
      this.#meta.putSync(task, copy)
    })
  }

  async close(): Promise<void> {
    await this.#root.close()
  }
}

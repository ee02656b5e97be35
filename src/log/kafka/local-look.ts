import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import type { Store } from '../../core/store.ts'
import { StagedStore } from '../staged-store.ts'
import type { Copy } from './local-state.ts'

/**
 * Looks at the state that a task keeps on this machine, which another process may be changing.
 * `undefined` if there is none here.
 */
export async function lookAtState<T>(
  directory: string,
  task: string,
  look: (store: Store) => T,
): Promise<T | undefined> {
  const path = join(directory, 'state.mdb')
  if (!existsSync(path)) return undefined
  const bytes = { encoding: 'binary', keyEncoding: 'binary' } as const
  const root = open<Buffer, Buffer>({ path, noSubdir: true, maxDbs: 4, readOnly: true, ...bytes })
  try {
    const copy = root.openDB<Copy, string>('meta', { encoding: 'json' })?.get(task)
    const state = root.openDB<Buffer, Buffer>('state', bytes)
    return copy && look(new StagedStore(state, copy.id))
  } finally {
    await root.close()
  }
}

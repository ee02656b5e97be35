import type { EmbeddedLog } from './embedded.ts'
import { type Environment, getJson, json } from './environment.ts'

/** Two tasks take each other's name, state and position, in one transaction. */
export async function exchangeTasks(log: EmbeddedLog, a: string, b: string): Promise<void> {
  await log.change(({ meta, positions }) => {
    swap(meta, `task/${a}`, `task/${b}`)
    swap(positions, a, b)
    meta.put(`exchanged/${a}`, json(Date.now()))
  })
}

/** When a task has last exchanged its state with another one, in ms since 1970. */
export function exchangedAt({ meta }: Environment, task: string): number | undefined {
  return getJson<number>(meta, `exchanged/${task}`)
}

/** Whether there is a task of this name, at work or not. */
export function knowsTask({ meta }: Environment, name: string): boolean {
  return getJson<number>(meta, `task/${name}`) !== undefined
}

/** So many entries are removed in a transaction. */
const removedAtOnce = 5_000

/** Removes a task that nobody runs: its state, its position and its place as a reader. */
export async function forgetTask(log: EmbeddedLog, name: string): Promise<void> {
  const id = getJson<number>(log.environment.meta, `task/${name}`)
  if (id === undefined) return
  const [start, end] = [Buffer.alloc(4), Buffer.alloc(4)]
  start.writeUInt32BE(id)
  end.writeUInt32BE(id + 1)
  for (;;) {
    const keys = [...log.environment.state.getKeys({ start, end, limit: removedAtOnce })]
    if (keys.length === 0) break
    await log.change(({ state }) => {
      for (const key of keys) state.remove(key)
    })
  }
  await log.change(({ meta, positions }) => {
    meta.remove(`task/${name}`)
    positions.remove(name)
  })
  log.groups.remove(name)
}

function swap(database: Environment['meta'], a: string, b: string): void {
  const [ofA, ofB] = [database.get(a), database.get(b)]
  const put = (key: string, value: Buffer | undefined) => {
    if (value === undefined) database.remove(key)
    else database.put(key, Buffer.from(value))
  }
  put(a, ofB)
  put(b, ofA)
}

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Report, Worker, WorkOptions } from './work.ts'

/** A worker that can be stopped in the middle, and continued. */
export interface StoppableWorker extends Worker {
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
}

export async function beginElsewhere(options: WorkOptions): Promise<StoppableWorker> {
  const child = fork(join(import.meta.dirname, 'child.ts'), [JSON.stringify(options)], {
    execArgv: ['--conditions=millrace-source'],
  })
  await once(child, 'message')
  let last: Promise<unknown> = Promise.resolve()
  /** One question at a time. */
  const ask = (order: string) => {
    last = last.then(() => askChild(child, order))
    return last
  }
  return {
    pid: child.pid!,
    report: () => ask('report') as Promise<Report>,
    endLoad: async () => void (await ask('endLoad')),
    async close() {
      child.kill('SIGCONT')
      await ask('close')
    },
    signal: (name) => void child.kill(name),
  }
}

async function askChild(child: ChildProcess, order: string): Promise<unknown> {
  child.send(order)
  const [answer] = await once(child, 'message')
  const { error } = (answer ?? {}) as { readonly error?: string }
  if (error !== undefined) throw new Error(error)
  return answer
}

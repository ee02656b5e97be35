import { beginWork, type WorkOptions } from './work.ts'

/* Does the work in a process of its own, which can be stopped for a while. Asked by its parent. */

const work = await beginWork(JSON.parse(process.argv[2]!) as WorkOptions)
process.on('message', async (order: 'report' | 'endLoad' | 'close') => {
  const answer = await work[order]().catch((error: unknown) => ({ error: String(error) }))
  process.send!(answer ?? null)
  if (order === 'close') process.disconnect()
})
process.send!('ready')

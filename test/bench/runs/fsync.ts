import { fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { percentile } from '../measure.ts'
import { finish } from './finish.ts'

/** The bare disk: 4 KB appended and synced, one after the other. */
const { path, count } = JSON.parse(process.argv[2]!)
const file = openSync(path, 'w')
const page = Buffer.alloc(4096, 7)
const times: number[] = []
for (let i = 0; i < count; i++) {
  const start = performance.now()
  writeSync(file, page)
  fdatasyncSync(file)
  times.push(performance.now() - start)
}
rmSync(path)
finish({ p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) })

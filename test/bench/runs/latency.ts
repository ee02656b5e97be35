import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'
import { wire } from './wiring.ts'

/**
 * Notes when the reader of the topic sees each row: it is shown to readers only once it is durable.
 * Rows below `warm` are seen, but neither timed nor counted.
 */
const { url, slot, path, count, warm } = JSON.parse(process.argv[2]!)
const now = () => Number(process.hrtime.bigint()) / 1e6
const wiring = await wire({ url, path, slot, table: 'public.orders' })
wiring.start()
await wiring.streaming()
console.log('ready')
const seen: number[] = new Array(count).fill(0)
const prefix = '{"id":'.length
let left = count
let cpu = process.cpuUsage()
for await (const { records } of wiring.log
  .reader([wiring.topic], 'bench')
  .read(undefined, wiring.signal)) {
  const at = now()
  for (const { key } of records) {
    const id = Number(Buffer.from(key!).toString('latin1', prefix, key!.length - 1))
    if (seen[id] !== 0) continue
    seen[id] = at
    if (--left === count - warm) cpu = process.cpuUsage()
  }
  if (left === 0) break
}
const cpuUsPerRecord = cpuMicros(cpu) / (count - warm)
finish({ seen, cpuUsPerRecord })

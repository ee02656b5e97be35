import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'
import { wire } from './wiring.ts'

/** The first start of a connector: publication, slot, and every row in the durable log. */
const { url, slot, rows, path } = JSON.parse(process.argv[2]!)
const wiring = await wire({ url, path, slot, table: 'public.big' })
const cpu = process.cpuUsage()
const start = performance.now()
wiring.start()
await wiring.moved(rows)
const seconds = (performance.now() - start) / 1000
const cpuUsPerRow = cpuMicros(cpu) / rows
await wiring.streaming()
await wiring.end()
finish({ rowsPerSecond: rows / seconds, cpuUsPerRow })

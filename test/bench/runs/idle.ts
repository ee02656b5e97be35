import { cpuMicros } from '../measure.ts'
import { finish } from './finish.ts'
import { wire } from './wiring.ts'

/** A connector of a database in which nothing happens, until it is told to end. */
const { url, slot, path } = JSON.parse(process.argv[2]!)
const wiring = await wire({ url, path, slot, table: 'public.big' })
const told = new Promise((resolve) => process.once('SIGTERM', resolve))
wiring.start()
await wiring.streaming()
console.log('ready')
const cpu = process.cpuUsage()
const start = performance.now()
await told
const seconds = (performance.now() - start) / 1000
const cpuMsPerSecond = cpuMicros(cpu) / 1000 / seconds
await wiring.end()
finish({ cpuMsPerSecond, seconds })

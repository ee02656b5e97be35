import { parseArgs } from 'node:util'
import type { Bench } from './bench.ts'
import { round } from './measure.ts'
import { path } from './path.ts'
import { source, sourceSmall } from './source.ts'
import { view } from './view.ts'

/** Every benchmark, by name. */
const benches: Readonly<Record<string, Bench>> = { source, 'source-small': sourceSmall, view, path }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    profile: { type: 'boolean', default: false },
  },
})
const bench = benches[positionals[0] ?? '']
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(benches).join('|')} [--pairs 5] [--scale 1]`)
  process.exit(2)
}
const report = await bench({ pairs: Number(values.pairs), scale: Number(values.scale) })
const rounded = Object.entries(report).map(([name, value]) => [
  name,
  typeof value === 'number' ? round(value) : value,
])
console.log(JSON.stringify(Object.fromEntries(rounded)))
process.exit(0)

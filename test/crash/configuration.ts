import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

const example = join(import.meta.dirname, '../../config/orders')

export interface Configured {
  readonly file: string
  readonly logPath: string
  readonly sqlitePath: string
}

/**
 * Writes config/orders/pipeline.yaml into a directory, with the sinks that there are servers for.
 */
export function configure(directory: string, sinks: readonly string[]): Configured {
  mkdirSync(directory, { recursive: true })
  const pipeline = parse(readFileSync(join(example, 'pipeline.yaml'), 'utf8'))
  const logPath = join(directory, 'log')
  pipeline.log = { path: logPath }
  pipeline.views.orders = { module: join(example, 'views/orders.ts') }
  for (const name of Object.keys(pipeline.sinks)) {
    if (!sinks.includes(name)) delete pipeline.sinks[name]
  }
  const file = join(directory, 'pipeline.yaml')
  writeFileSync(file, stringify(pipeline))
  return { file, logPath, sqlitePath: join(directory, 'shop.sqlite') }
}

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

const example = join(import.meta.dirname, '../../config/orders')

export interface Configured {
  /** The configuration as most rounds run it. */
  readonly file: string
  /** Takes a new snapshot where the slot is lost. */
  readonly healingFile: string
  readonly sqlitePath: string
}

/** Slow enough for a kill to come in the middle of it. */
const slow = { 'snapshot.max.rows.per.second': 4_000 }

const every = {
  'signal.data.collection': 'public.signals',
  'incremental.snapshot.chunk.size': 250,
}

/**
 * Writes config/orders/pipeline.yaml into a directory, with the sinks that there are servers for,
 * and a second database beside the shop, whose table each sink holds as it is.
 */
export function configure(directory: string, sinks: readonly string[], given: object): Configured {
  mkdirSync(directory, { recursive: true })
  const pipeline = parse(readFileSync(join(example, 'pipeline.yaml'), 'utf8'))
  Object.assign(pipeline, given)
  Object.assign(pipeline.connectors.db, every)
  // biome-ignore lint/suspicious/noTemplateCurlyInString: The configuration fills it in.
  const url = '${ARCHIVE_URL}'
  pipeline.connectors.archive = {
    ...{ type: 'postgres', url, tables: ['public.papers'] },
    ...{ 'column.exclude.list': 'public.papers.ballast', ...every },
  }
  const from = 'archive.public.papers'
  const papers = { key: 'paper:{id}', index: 'papers', table: 'papers' }
  for (const [name, sink] of Object.entries<Record<string, unknown>>(pipeline.sinks)) {
    if (!sinks.includes(name)) {
      delete pipeline.sinks[name]
      continue
    }
    const { search: _, ...rest } = sink
    const place = Object.entries(papers).filter(
      ([option]) => option in sink || (option === 'table' && sink.type === 'sqlite'),
    )
    pipeline.sinks[`${name}-papers`] = { ...rest, ...Object.fromEntries(place), from }
  }
  const write = (name: string, options: object) => {
    for (const connector of Object.values<object>(pipeline.connectors)) {
      Object.assign(connector, options)
    }
    const file = join(directory, name)
    writeFileSync(file, stringify(pipeline))
    return file
  }
  return {
    sqlitePath: join(directory, 'shop.sqlite'),
    file: write('pipeline.yaml', slow),
    healingFile: write('healing.yaml', { 'snapshot.mode': 'when_needed' }),
  }
}

/*
 * How the views are defined that have state in a data directory: `views.json` in it, by the hash of
 * all of them together. With it the former definition serves on while another is being built.
 *
 *   {"v":1,"definitions":{"5f2b…":{"views":{"orders":{"root":"db.public.orders"}},"tables":[]}}}
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Topology } from '../../streams/topology.ts'
import { type Config, readWrittenViews } from '../config/config.ts'
import { stateBuiltBy, viewsGroup } from '../inspect/view-state.ts'
import { loadTopology, materialised } from './views.ts'

const definition = z.strictObject({
  /** Their sections in the configuration file. */
  views: z.record(z.string(), z.unknown()),
  /** Topics that are kept as tables. */
  tables: z.array(z.string()),
})

const format = z.strictObject({ v: z.literal(1), definitions: z.record(z.string(), definition) })

type Definitions = z.infer<typeof format>['definitions']

/**
 * The views as they were when their state was made, if that was another definition and can still be
 * had: declared views as they were written, others if their modules are what they were. Remembers
 * the definition at hand. To be called before the log is opened.
 */
export async function findFormerViews(
  config: Config,
  { hash }: Topology,
): Promise<Topology | undefined> {
  if (config.log.kafka !== undefined) return undefined
  const { path } = config.log
  const built = await stateBuiltBy(config, viewsGroup(config.name))
  const known = read(path)[built]
  save(path, { [hash]: describe(config), ...(known && { [built]: known }) })
  if (known === undefined || built === hash) return undefined
  const former = await loadFormer(config.name, known)
  return former?.hash === built ? former : undefined
}

async function loadFormer(
  pipeline: string,
  { views, tables }: z.infer<typeof definition>,
): Promise<Topology | undefined> {
  try {
    return await loadTopology(pipeline, readWrittenViews(views), tables)
  } catch {
    return undefined // A view of it reads what is no more.
  }
}

function describe({ views, sinks }: Config): z.infer<typeof definition> {
  const written = views.map((view) => {
    return [view.name, 'root' in view ? view.written : { module: view.module, export: view.export }]
  })
  return { views: Object.fromEntries(written), tables: [...materialised(sinks)] }
}

function read(directory: string): Definitions {
  try {
    const text = readFileSync(join(directory, 'views.json'), 'utf8')
    return format.parse(JSON.parse(text)).definitions
  } catch {
    return {} // Not there, or of another version: views are then rebuilt in place.
  }
}

function save(directory: string, definitions: Definitions): void {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, 'views.json')
  const text = `${JSON.stringify({ v: 1, definitions })}\n`
  writeFileSync(`${path}.new`, text, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

import { isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import type { Draft } from './draft.ts'
import { didYouMean } from './nearest.ts'
import { namesAt, shapeOf } from './shape.ts'
import { isModule, loadSink } from './sink-module.ts'

interface AnyPlugin {
  readonly type: string
  readonly options: z.ZodType<unknown>
}

export interface PartOptions<P> {
  readonly name: string
  readonly plugin: P
  readonly options: unknown
  /** For sinks: what it says to read from, not yet looked up. */
  readonly from: readonly string[]
}

interface Section<P> {
  readonly section: 'connectors' | 'sinks'
  readonly plugins: readonly P[]
}

/** The parts of one section that are what their plugin wants. Faults of the others are reported. */
export function readParts<P extends AnyPlugin>(
  draft: Draft,
  directory: string,
  { section, plugins }: Section<P>,
): readonly PartOptions<P>[] {
  const parts: PartOptions<P>[] = []
  for (const name of draft.names([section])) {
    const plugin = findPlugin(draft, [section, name], { plugins, directory })
    if (plugin === undefined) continue
    const outer = section === 'sinks' ? ['type', 'from'] : ['type']
    const own = namesAt(shapeOf(plugin.options), [])
    const apart = outer.filter((each) => !own.includes(each))
    const options = draft.parse(plugin.options, [section, name], apart)
    const from = section === 'sinks' ? readFrom(draft, name) : []
    if (options === undefined) continue
    parts.push({ name, plugin, options: withPaths(options, directory), from })
  }
  return parts
}

const typed = z.looseObject({ type: z.string().min(1) })
const reading = z.looseObject({
  from: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe('the view or topic to read, or a list of them'),
})

function findPlugin<P extends AnyPlugin>(
  draft: Draft,
  path: readonly [string, string],
  { plugins, directory }: { readonly plugins: readonly P[]; readonly directory: string },
): P | undefined {
  const type = draft.parse(typed, path)?.type
  if (type === undefined) return undefined
  const found = plugins.find((plugin) => plugin.type === type)
  if (found !== undefined) return found
  if (isModule(type)) return findModule(draft, path, { type, directory })
  const hint = didYouMean(
    type,
    plugins.map((plugin) => plugin.type),
  )
  const kind = path[0] === 'sinks' ? 'sink' : 'connector'
  draft.report([...path, 'type'], `there is no ${kind} of type ${JSON.stringify(type)}${hint}`)
  return undefined
}

/** A sink of the user's own, by its file. */
function findModule<P>(
  draft: Draft,
  path: readonly [string, string],
  { type, directory }: { readonly type: string; readonly directory: string },
): P | undefined {
  const found = path[0] === 'sinks' ? loadSink(type, directory) : 'only sinks may be modules'
  if (typeof found !== 'string') return found as P
  draft.report([...path, 'type'], found)
  return undefined
}

function readFrom(draft: Draft, name: string): readonly string[] {
  const from = draft.parse(reading, ['sinks', name])?.from ?? []
  return typeof from === 'string' ? [from] : from
}

/**
 * Some options name files: `path`, and the certificates under `tls`. They are meant from where the
 * configuration stands, not from where one happens to start the program.
 */
function withPaths(options: unknown, directory: string): unknown {
  if (!isMapping(options)) return options
  const { path, tls } = options
  return {
    ...options,
    ...(path === undefined ? {} : { path: place(path, directory) }),
    ...(isMapping(tls) ? { tls: withCertificates(tls, directory) } : {}),
    ...Object.fromEntries(
      fileOptions.flatMap((name) =>
        options[name] === undefined ? [] : [[name, place(options[name], directory)]],
      ),
    ),
  }
}

/** Options of connectors that name files, in Debezium's way of naming. */
const fileOptions = [
  'database.sslrootcert',
  'database.sslcert',
  'database.sslkey',
  'slot.adopt.offset',
]

function withCertificates(tls: Readonly<Record<string, unknown>>, directory: string) {
  return Object.fromEntries(
    Object.entries(tls).map(([name, value]) =>
      ['ca', 'cert', 'key'].includes(name) ? [name, place(value, directory)] : [name, value],
    ),
  )
}

/**
 * `-` is a standard stream, `:memory:` no file; JSON, or a certificate, may stand there itself, and
 * `system` is the operating system's store of certificates.
 */
function place(path: unknown, directory: string): unknown {
  if (typeof path !== 'string' || isAbsolute(path) || /^([-:]|\{\s*"|system$)/.test(path))
    return path
  return resolve(directory, path)
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

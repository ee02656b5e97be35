import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { ConnectorPlugin, SinkPlugin } from '../../core/plugin.ts'
import { secret } from '../../core/secret.ts'
import { type KafkaOptions, kafkaOptions, withFiles } from '../../log/kafka/options.ts'
import { type KafkaTopics, kafkaTopic } from '../../log/kafka/topic-options.ts'
import type { Branch } from '../../streams/declared/branch.ts'
import { crossCheck } from './cross-check.ts'
import { readDeclared } from './declared.ts'
import { Draft } from './draft.ts'
import type { Fault, Place } from './fault.ts'
import type { Environment } from './interpolate.ts'
import { checkTopics, inputsOf } from './kafka-topics.ts'
import { Mask } from './mask.ts'
import { readParts } from './part-options.ts'
import type { Registry } from './registry.ts'
import { type TopicRules, topicOptions } from './topic-rules.ts'

/** A whole pipeline as configured: checked, complete with defaults, deeply frozen. */
export interface Config {
  readonly name: string
  readonly log: {
    readonly type: 'embedded' | 'kafka'
    /** The data directory. */
    readonly path: string
    /** Where the log is on Kafka. */
    readonly kafka?: KafkaOptions
    /** Share of the disk (`80%`, by default), or bytes. */
    readonly cap?: string | number
  }
  /** What is kept in memory of the state of views; 32 by default. */
  readonly stateCacheMb?: number
  readonly connectors: readonly ConnectorConfig[]
  /** Where questions are answered, if anywhere. */
  readonly http?: HttpConfig
  readonly views: readonly ViewConfig[]
  readonly sinks: readonly SinkConfig[]
  /** The topics that connectors and others write, unless patterns leave that open. */
  readonly topics: readonly string[] | undefined
  /** Those of them that others write. */
  readonly inputs?: readonly string[]
  /** What topics keep, other than by default. */
  readonly topicRules?: TopicRules
}

export interface HttpConfig {
  readonly host: string
  readonly port: number
  readonly token?: string | undefined
  readonly url?: string | undefined
}

export interface ConnectorConfig {
  readonly name: string
  readonly plugin: ConnectorPlugin<unknown>
  readonly options: unknown
}

/** A view: code in a module, or described in the file itself. */
export type ViewConfig = ViewModule | DeclaredView

export interface ViewModule {
  readonly name: string
  readonly place: Place
  /** Absolute path of the module. */
  readonly module: string
  /** What to take from it, if it is said. */
  readonly export: string | undefined
}

export interface DeclaredView {
  readonly name: string
  readonly place: Place
  readonly root: Branch
  /** Its section of the file. */
  readonly written: unknown
}

export interface SinkConfig {
  readonly name: string
  readonly plugin: SinkPlugin<unknown>
  readonly options: unknown
  readonly from: readonly From[]
}

/** What a sink reads: a view's topic, or a topic that a connector writes. */
export type From =
  | { readonly kind: 'view'; readonly view: string; readonly topic: string }
  | {
      readonly kind: 'topic'
      readonly topic: string
      /** Where it is named, if only the modules of views can tell whether anybody writes it. */
      readonly unchecked?: Place
    }

export type Loaded =
  | { readonly ok: true; readonly config: Config; readonly mask: Mask }
  | { readonly ok: false; readonly faults: readonly Fault[]; readonly mask: Mask }

/** Reads a configuration file. All its faults are found at once. */
export function loadConfig(file: string, registry: Registry, environment: Environment): Loaded {
  const mask = new Mask([...registry.connectors, ...registry.sinks].map(({ type }) => type))
  const text = readText(file)
  if (text instanceof Error) return { ok: false, faults: [unreadable(file, text)], mask }
  const draft = new Draft(text, { file, environment, mask })
  const config = draft.readable ? compose(draft, registry, dirname(resolve(file))) : undefined
  const { faults } = draft
  if (config === undefined || faults.length > 0) return { ok: false, faults, mask }
  return { ok: true, config: freeze(config), mask }
}

/** The data directory of a configuration, whatever else is wrong with it, or why there is none. */
export function readLogPath(file: string, environment: Environment): string | readonly Fault[] {
  const text = readText(file)
  if (text instanceof Error) return [unreadable(file, text)]
  const draft = new Draft(text, { file, environment, mask: new Mask() })
  if (!draft.readable) return draft.faults
  const name = draft.parse(frame.shape.name, ['name'])
  const log = draft.parse<Top['log']>(frameOf(draft).shape.log, ['log'])
  if (name === undefined || log === undefined) return draft.faults
  return resolve(dirname(resolve(file)), log.path ?? `data/${name}`)
}

/** Where the log of a configuration is, whatever else is wrong with it. */
export function readLogType(file: string, environment: Environment): Config['log']['type'] {
  const text = readText(file)
  if (text instanceof Error) return 'embedded'
  const draft = new Draft(text, { file, environment, mask: new Mask() })
  return draft.readable && draft.at(['log', 'type']) === 'kafka' ? 'kafka' : 'embedded'
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.[\d.]+$/.test(host)
}

const partName = /^[a-z0-9_-]+$/
const nameRule = 'must be made of a-z, 0-9, - and _'

const frame = z.strictObject({
  name: z
    .string()
    .regex(partName)
    .describe('The name of the pipeline: part of every name it makes.'),
  log: z
    .strictObject({
      type: z
        .enum(['embedded', 'kafka'])
        .default('embedded')
        .describe('A directory and no server, or topics on an Apache Kafka cluster.'),
      path: z.string().min(1).optional().describe('The data directory; ./data/<name> by default.'),
      cap: z
        .union([z.string().regex(/^\d{1,2}%$/, 'must be a share such as 80%'), z.int().positive()])
        .default('80%')
        .describe('What the log may fill: a share of its disk, or bytes.'),
    })
    .prefault({}),
  stateCacheMb: z
    .int()
    .min(0)
    .max(65_536)
    .default(32)
    .describe('What all views together keep in memory of their state, in MB.'),
  http: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('The address to listen on.'),
      port: z.int().min(0).max(65_535).describe('The port; 0 for any that is free.'),
      token: secret('Asked of every request, as a bearer token.').optional(),
      url: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('Where other instances reach this one; by default `http://<host>:<port>`.'),
    })
    .refine(({ host, token }) => token !== undefined || isLoopback(host), {
      error: 'needs a `token` on an address that others can reach',
    })
    .optional()
    .describe('Answers questions over HTTP: status, metrics, stores and views.'),
  connectors: z
    .record(z.string(), z.unknown())
    .prefault({})
    .describe('Where changes come from, by name.'),
  views: z.record(z.string(), z.unknown()).prefault({}).describe('What is made of them, by name.'),
  sinks: z.record(z.string(), z.unknown()).prefault({}).describe('Where changes go, by name.'),
  topics: z.record(z.string(), topicOptions).prefault({}).describe('What topics keep, by name.'),
})

const onKafka = frame.extend({
  log: kafkaOptions,
  topics: z
    .record(z.string(), topicOptions.extend(kafkaTopic.shape))
    .prefault({})
    .describe('What topics keep, how they are made, written and read, by name.'),
})

type Top = z.infer<typeof frame> | z.infer<typeof onKafka>

/** What stands under `log` has one shape or another, by its type. */
function frameOf(
  draft: Draft,
): z.ZodType<Top> & { readonly shape: typeof frame.shape | typeof onKafka.shape } {
  return draft.at(['log', 'type']) === 'kafka' ? onKafka : frame
}

function logOf({ name, log, topics }: Top, directory: string): Config['log'] {
  const path = resolve(directory, log.path ?? `data/${name}`)
  if (!('brokers' in log)) return { ...log, path }
  const options = withFiles(log, (file) => resolve(directory, file))
  return { type: 'kafka', path, kafka: { ...options, topics: topics as KafkaTopics } }
}

const view = z.strictObject({
  module: z.string().min(1).describe('The file that exports the view.'),
  export: z
    .string()
    .min(1)
    .optional()
    .describe('Its name there; by default that of the view, or the only view there is.'),
})

function compose(draft: Draft, registry: Registry, directory: string): Config | undefined {
  const top = draft.parse(frameOf(draft), [])
  checkNames(draft)
  const connectors = readParts(draft, directory, {
    section: 'connectors',
    plugins: registry.connectors,
  })
  const sinks = readParts(draft, directory, { section: 'sinks', plugins: registry.sinks })
  const views = draft.names(['views']).flatMap((name) => readView(draft, name, directory) ?? [])
  const name = top?.name ?? String(draft.at(['name']))
  const inputs = inputsOf(draft)
  const linked = crossCheck(draft, { name, connectors, views, sinks, inputs })
  checkTopics(draft)
  if (top === undefined) return undefined
  const { http, stateCacheMb, topics: topicRules } = top
  const served = http === undefined ? {} : { http }
  const log = logOf(top, directory)
  return { name, log, stateCacheMb, ...served, connectors, views, ...linked, inputs, topicRules }
}

function readView(draft: Draft, name: string, directory: string): ViewConfig | undefined {
  const path = ['views', name]
  const place = draft.place(path)
  if (draft.names(path).includes('root')) {
    const root = readDeclared(draft, path)
    return root && { name, place, root, written: draft.at(path) }
  }
  const found = draft.parse(view, path)
  return found && { name, place, module: resolve(directory, found.module), export: found.export }
}

/** Views of which the sections were kept, none if one of them cannot be read. */
export function readWrittenViews(views: Readonly<Record<string, unknown>>): readonly ViewConfig[] {
  const options = { file: 'views.json', environment: {}, mask: new Mask() }
  const draft = new Draft(JSON.stringify({ views }), options)
  const found = draft.names(['views']).flatMap((name) => readView(draft, name, '/') ?? [])
  return draft.faults.length > 0 ? [] : found
}

function checkNames(draft: Draft): void {
  for (const section of ['connectors', 'views', 'sinks']) {
    for (const name of draft.names([section])) {
      if (!partName.test(name)) draft.report([section, name], `${nameRule}`, 'name')
    }
  }
  const isEmpty = draft.names([]).length === 0
  if (isEmpty || draft.names(['connectors']).length > 0 || inputsOf(draft).length > 0) return
  const isGiven = draft.at(['connectors']) !== undefined
  const [path, what] = isGiven
    ? [['connectors'], 'must name at least one connector']
    : [[], 'needs `connectors`, or a topic with `input`']
  draft.report(path, what, 'name')
}

function readText(file: string): string | Error {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    return error as Error
  }
}

function unreadable(file: string, { message }: Error): Fault {
  return { file, line: 1, column: 1, path: '', what: `cannot be read: ${message.split(',')[0]}` }
}

function freeze<T>(value: T): T {
  if (!isPlain(value) || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) freeze(inner)
  return Object.freeze(value)
}

/** Plugins hold schemas, which are not ours to freeze. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return true
  return !('open' in value) && Object.getPrototypeOf(value) === Object.prototype
}

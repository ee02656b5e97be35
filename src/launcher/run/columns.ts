import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../core/errors.ts'
import type { Schema } from '../../core/schema.ts'
import type { TableName } from '../../streams/declared/branch.ts'
import { columnUses, membersOf } from '../../streams/declared/column-uses.ts'
import type { ViewPhase } from '../../streams/view-task.ts'
import type { Config, DeclaredView } from '../config/config.ts'
import type { Fault } from '../config/fault.ts'
import { didYouMean } from '../config/nearest.ts'

/** By topic, the columns of its rows, as far as they are known. */
export type Columns = ReadonlyMap<string, readonly string[]>

/**
 * Columns that a view of the configuration names, and that their tables do not have. In an
 * expression they would read as null, as a column does that was added after the row was written.
 */
export function columnFaults({ views }: Pick<Config, 'views'>, columns: Columns): readonly Fault[] {
  const declared = views.filter((view) => 'root' in view)
  const ofTable = (table: TableName): readonly string[] | undefined => {
    if ('topic' in table) return columns.get(table.topic)
    const view = declared.find(({ name }) => name === table.view)
    return view && membersOf(view.root, ofTable)
  }
  // A view has the keys of its root.
  const ofKey = (table: TableName): readonly string[] | undefined => {
    if ('topic' in table) return columns.get(table.topic)
    const view = declared.find(({ name }) => name === table.view)
    return view && ofKey(view.root.from)
  }
  return declared.flatMap((view) => faultsOf(view, { ofTable, ofKey }))
}

type Known = (table: TableName) => readonly string[] | undefined

function faultsOf(
  { name, place, root }: DeclaredView,
  { ofTable, ofKey }: { readonly ofTable: Known; readonly ofKey: Known },
): readonly Fault[] {
  const faults = new Map<string, Fault>()
  for (const { table, column, place: inside, isKey } of columnUses(root)) {
    const known = isKey ? ofKey(table) : ofTable(table)
    if (known === undefined || known.includes(column)) continue
    const path = `views.${name}.${inside}`
    const of = 'topic' in table ? table.topic : `the view ${table.view}`
    const what = `${of} has no column ${JSON.stringify(column)}${didYouMean(column, known)}`
    faults.set(`${path} ${what}`, { ...place, path, what })
  }
  return [...faults.values()]
}

/** The topics of which the configuration's views name columns. */
function topicsOf({ views }: Pick<Config, 'views'>): readonly string[] {
  const uses = views.flatMap((view) => ('root' in view ? columnUses(view.root) : []))
  return [...new Set(uses.flatMap(({ table }) => ('topic' in table ? [table.topic] : [])))]
}

/** Asks the connectors. Who does not answer knows nothing: others will say why. */
export async function askForColumns(config: Config, patienceMs = 5_000): Promise<Columns> {
  const topics = topicsOf(config)
  if (topics.length === 0) return new Map()
  const late = new AbortController()
  const nothing = sleep(patienceMs, new Map(), { signal: late.signal }).catch(() => new Map())
  const answers = await Promise.all(
    config.connectors.map(({ name, plugin, options }) => {
      const named = { pipeline: config.name, name }
      const asked = plugin.columns?.(options, named, topics).catch(() => new Map())
      return asked === undefined
        ? new Map<string, readonly string[]>()
        : Promise.race([asked, nothing])
    }),
  )
  late.abort()
  return new Map(answers.flatMap((columns) => [...columns]))
}

/** Throws `COLUMN_MISSING` if a view names a column that its table does not have. */
export async function assertColumns(config: Config): Promise<void> {
  const faults = columnFaults(config, await askForColumns(config))
  if (faults.length === 0) return
  const all = faults.map(({ path, what }) => `${path}: ${what}`).join('. ')
  throw new MillraceError('COLUMN_MISSING', `${all}.`)
}

/** Says when rows come without a column that a view names, once for each. */
export class ColumnWatch {
  readonly #config: Config
  readonly #say: (line: string) => void
  readonly #latest = new Map<string, readonly string[]>()
  readonly #said = new Set<string>()
  /** While history is read, rows from before a column was added are nothing to speak of. */
  #isBuilding = false

  constructor(config: Config, say: (line: string) => void) {
    this.#config = config
    this.#say = say
  }

  phase(phase: ViewPhase): void {
    this.#isBuilding = phase === 'building'
    this.#look()
  }

  note(topic: string, { columns }: Schema): void {
    this.#latest.set(
      topic,
      columns.map(({ name }) => name),
    )
    this.#look()
  }

  #look(): void {
    if (this.#isBuilding) return
    for (const { path, what } of columnFaults(this.#config, this.#latest)) {
      const line = `${path}: ${what}; it is null in the rows that come now`
      if (!this.#said.has(line)) this.#say(line)
      this.#said.add(line)
    }
  }
}

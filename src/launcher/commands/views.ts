import { type Config, loadConfig } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import { didYouMean } from '../config/nearest.ts'
import { type Registry, registry } from '../config/registry.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { outdateState, viewsGroup } from '../inspect/view-state.ts'
import { loadViews } from '../run/views.ts'
import { openTerminal } from '../terminal.ts'

export interface ResetOptions {
  readonly json?: boolean | undefined
  readonly registry?: Registry
}

/** What is reset together: all views of a pipeline, or one topology of streams. */
interface Resettable {
  readonly kind: 'view' | 'topology'
  readonly group: string
  /** Views and topologies that are made anew. */
  readonly rebuilt: readonly string[]
  /** States that outlast it: what was told of each document. */
  readonly kept: ReadonlySet<string>
  readonly what: string
}

/** `millrace views reset FILE NAME`: a view or topology, while nothing runs. */
export async function resetView(
  file: string,
  name: string,
  { json = false, registry: known = registry }: ResetOptions = {},
): Promise<ExitCode> {
  const loaded = loadConfig(file, known, process.env)
  if (!loaded.ok) throw new CommandFailure(loaded.faults.map(showFault).join('\n'))
  const { config, mask } = loaded
  const found = await find(config, name)
  const isReset = await outdateState(config, found.group, found.kept)
  const { kind, rebuilt } = found
  const what = isReset ? found.what : 'has not begun yet: there is nothing to reset'
  const told = { v: 1, name, kind, reset: isReset, rebuilt, what }
  await openTerminal(mask).print(json ? JSON.stringify(told) : `${name}: ${what}`)
  return exitCodes.ok
}

async function find(config: Config, name: string): Promise<Resettable> {
  const loaded = await loadViews(config)
  if (!loaded.ok) throw new CommandFailure(loaded.faults.map(showFault).join('\n'))
  const { topology, streams } = loaded
  const stream = streams.find((each) => each.name === name)
  if (stream !== undefined) {
    const { partitions = 1 } = stream.options
    if (partitions > 1 && config.log.type === 'kafka') {
      throw new CommandFailure(`${name} has ${partitions} tasks, which only begin anew together`)
    }
    const what = 'is made anew from the log at the next start; all is told again with new versions'
    const group = `${config.name}.${name}`
    return { kind: 'topology', group, rebuilt: [name], kept: new Set(), what }
  }
  const rebuilt = topology.views.map((view) => view.name)
  if (!rebuilt.includes(name)) {
    const near = didYouMean(name, [...rebuilt, ...streams.map((stream) => stream.name)])
    throw new CommandFailure(`there is no view or topology ${JSON.stringify(name)}${near}`)
  }
  const together = rebuilt.length === 1 ? '' : `, with all views (${rebuilt.join(', ')}),`
  const what = `is built anew${together} from the log at the next start; only differences are told`
  return { kind: 'view', group: viewsGroup(config.name), rebuilt, kept: topology.keptStates, what }
}

import { MillraceError } from '../../core/errors.ts'
import { openEmbeddedLog } from '../../log/embedded.ts'
import { type Config, loadConfig } from '../config/config.ts'
import { showFault } from '../config/fault.ts'
import { didYouMean } from '../config/nearest.ts'
import { type Registry, registry } from '../config/registry.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { holdsLog } from '../inspect/tap.ts'
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
  const isReset = await outdate(config, found)
  const { kind, rebuilt } = found
  const what = isReset ? found.what : 'has not begun yet: there is nothing to reset'
  const told = { v: 1, name, kind, reset: isReset, rebuilt, what }
  await openTerminal(mask).print(json ? JSON.stringify(told) : `${name}: ${what}`)
  return exitCodes.ok
}

async function find(config: Config, name: string): Promise<Resettable> {
  if (config.log.type !== 'embedded') {
    throw new CommandFailure(
      'the state of views on Kafka cannot be reset: only that of a data directory can',
    )
  }
  const loaded = await loadViews(config)
  if (!loaded.ok) throw new CommandFailure(loaded.faults.map(showFault).join('\n'))
  const { topology, streams } = loaded
  if (streams.some((stream) => stream.name === name)) {
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

/** Returns whether there was any state. */
async function outdate({ log: { path } }: Config, { group, kept }: Resettable): Promise<boolean> {
  if (!holdsLog(path)) return false
  const log = await openEmbeddedLog({ path }).catch((error: unknown) => {
    if (!(error instanceof MillraceError) || error.code !== 'LOG_IN_USE') throw error
    throw new CommandFailure(`${error.message} Stop it first: a reset takes effect at a start.`)
  })
  try {
    return await outdateState(log, group, kept)
  } finally {
    await log.close()
  }
}

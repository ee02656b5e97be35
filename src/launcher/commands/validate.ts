import { loadConfig } from '../config/config.ts'
import { type Fault, showFault } from '../config/fault.ts'
import { type Registry, registry } from '../config/registry.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import { loadViews } from '../run/views.ts'
import { openTerminal } from '../terminal.ts'

export interface ValidateOptions {
  readonly json?: boolean
  readonly registry?: Registry
}

/** `millrace validate FILE`: everything wrong with a configuration. Connects to nothing. */
export async function validateCommand(
  file: string,
  { json = false, registry: known = registry }: ValidateOptions = {},
): Promise<ExitCode> {
  const loaded = loadConfig(file, known, process.env)
  const terminal = openTerminal(loaded.mask)
  const faults = loaded.ok ? await viewFaults(loaded.config) : loaded.faults
  if (json) await terminal.print(JSON.stringify({ valid: faults.length === 0, faults }, null, 2))
  else await terminal.print(show(file, faults))
  return faults.length === 0 ? exitCodes.ok : exitCodes.invalid
}

async function viewFaults(config: Parameters<typeof loadViews>[0]): Promise<readonly Fault[]> {
  const views = await loadViews(config)
  return views.ok ? [] : views.faults
}

function show(file: string, faults: readonly Fault[]): string {
  if (faults.length === 0) return `${file} is valid`
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`
  return [...faults.map(showFault), count].join('\n')
}

import type { Finding } from '../../../src/core/plugin.ts'

/** A finding with the SQL that repairs it, a statement an entry. */
export interface Repairable extends Finding {
  readonly repair?: readonly string[]
}

export function ok(what: string, hint?: string): Repairable {
  return { level: 'ok', what, ...(hint !== undefined && { hint }) }
}

export interface Advice {
  readonly hint?: string | undefined
  readonly repair?: readonly string[] | undefined
}

export function warning(what: string, advice: Advice = {}): Repairable {
  return { level: 'warning', what, ...definite(advice) }
}

export function error(what: string, advice: Advice = {}): Repairable {
  return { level: 'error', what, ...definite(advice) }
}

function definite({ hint, repair }: Advice): Pick<Repairable, 'hint' | 'repair'> {
  return { ...(hint !== undefined && { hint }), ...(repair !== undefined && { repair }) }
}

import type { Finding } from '../../../src/core/plugin.ts'

export function ok(what: string, hint?: string): Finding {
  return { level: 'ok', what, ...(hint !== undefined && { hint }) }
}

export interface Advice {
  readonly hint?: string | undefined
  readonly repair?: readonly string[] | undefined
}

export function warning(what: string, advice: Advice = {}): Finding {
  return { level: 'warning', what, ...definite(advice) }
}

export function error(what: string, advice: Advice = {}): Finding {
  return { level: 'error', what, ...definite(advice) }
}

function definite({ hint, repair }: Advice): Pick<Finding, 'hint' | 'repair'> {
  return { ...(hint !== undefined && { hint }), ...(repair !== undefined && { repair }) }
}

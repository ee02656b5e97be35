import { CaseFault } from '../difference.ts'
import type { PostgresCase } from './case.ts'

/** What a server can do, as far as cases ask for it. */
export interface ServerAbilities {
  readonly majorVersion: number
  readonly extensions: ReadonlySet<string>
}

/**
 * Why this server cannot run a case, or undefined. Throws where a requirement is not understood.
 */
export function missingAbility(
  requires: PostgresCase['requires'],
  { majorVersion, extensions }: ServerAbilities,
): string | undefined {
  const lacking = (requires?.extensions ?? []).filter((name) => !extensions.has(name))
  if (lacking.length > 0) return `the server has no extension ${lacking.join(', ')}`
  if (requires?.pg === undefined || isVersionIn(majorVersion, requires.pg)) return undefined
  return `it needs PostgreSQL ${requires.pg}, the server is ${majorVersion}`
}

// Bounds such as `>=12 <18`, all of which must hold.
function isVersionIn(version: number, bounds: string): boolean {
  return bounds.split(/\s+/).every((bound) => {
    const [, comparison, text] = /^(>=|<=|<|>|=)(\d+)$/.exec(bound) ?? []
    const limit = Number(text)
    switch (comparison) {
      case '>=':
        return version >= limit
      case '<=':
        return version <= limit
      case '<':
        return version < limit
      case '>':
        return version > limit
      case '=':
        return version === limit
      default:
        throw new CaseFault(`the version bound '${bound}' is not understood`)
    }
  })
}

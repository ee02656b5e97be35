import { type PostgresOptions, postgresOptions } from '../../../connectors/postgres/options.ts'
import { CaseFault } from '../difference.ts'
import type { PostgresCase } from './case.ts'

/** Debezium's name of the option that chooses tables, by regular expressions. */
const tableList = 'table.include.list'

type Config = PostgresCase['config']
type Shape = Readonly<Record<string, { safeParse(value: unknown): { success: boolean } }>>

/**
 * The connector's options for a case. Debezium's options go by their own names; its values are
 * texts, which become what the connector's schema wants there. Throws with the name of each option
 * that the connector does not know, and of each value that it refuses.
 */
export function connectorOptions(
  config: Config,
  fixed: { readonly url: string; readonly slot: string },
): PostgresOptions {
  const named = Object.entries(config).map(([name, value]) => [name, convert(name, value)] as const)
  const options = {
    url: fixed.url,
    'topic.prefix': 'test_server',
    'slot.name': fixed.slot,
    format: 'debezium',
    // Debezium's default, where ours is another one.
    'publication.autocreate.mode': 'all_tables',
    ...chooseTables(config),
    ...Object.fromEntries(named.filter(([name]) => name !== tableList || name in shape())),
  }
  const { success, data, error } = postgresOptions.safeParse(options)
  if (success) return data
  throw new CaseFault(error.issues.map(describeIssue).join('; '))
}

function shape(): Shape {
  return postgresOptions.shape as unknown as Shape
}

/** The first reading of a text that the schema takes. */
function convert(name: string, value: Config[string]): unknown {
  const schema = shape()[name]
  if (schema === undefined || typeof value !== 'string') return value
  const readings: unknown[] = [value]
  if (value === 'true' || value === 'false') readings.push(value === 'true')
  if (/^-?\d+(\.\d+)?$/.test(value)) readings.push(Number(value))
  readings.push(value.split(',').map((item) => item.trim()))
  return readings.find((reading) => schema.safeParse(reading).success) ?? value
}

/** Debezium's list as the connector's patterns, while the connector has no option of that name. */
function chooseTables(config: Config): { readonly tables?: readonly string[] } {
  const list = config[tableList]
  if (list === undefined || tableList in shape()) return {}
  return {
    tables: String(list)
      .split(',')
      .map((item) => patternOf(item.trim())),
  }
}

/** A regular expression that is no more than a name with `.*` in it. */
function patternOf(expression: string): string {
  let pattern = ''
  for (const [part] of expression.matchAll(/\.\*|\\.|[^\\]/gsu)) {
    if (/^[[\](){}?+^$|*]$/.test(part)) {
      throw new CaseFault(`${tableList}: '${expression}' cannot be said as a pattern of 'tables'`)
    }
    pattern += part === '.*' ? '*' : part.replace(/^\\/, '')
  }
  return pattern
}

function describeIssue(issue: { code: string; path: PropertyKey[]; message: string }): string {
  const keys = (issue as { keys?: readonly string[] }).keys
  if (issue.code === 'unrecognized_keys' && keys !== undefined) {
    return keys.map((key) => `the connector has no option ${key}`).join('; ')
  }
  return `the connector refuses ${issue.path.join('.')}: ${issue.message}`
}

import { describeError } from '../../src/core/errors.ts'
import type { Finding } from '../../src/core/plugin.ts'
import { ElasticsearchClient } from './client.ts'
import type { ElasticsearchOptions } from './options.ts'
import { familyPattern, isFamily } from './placement.ts'
import { missingPrivileges } from './privileges.ts'

/** Looks at the server, then at the index if it is there. */
export async function* check(options: ElasticsearchOptions): AsyncGenerator<Finding> {
  const client = new ElasticsearchClient({ ...options, requestTimeoutMs: 10_000 })
  try {
    yield await product(client)
    yield* missingPrivileges(client, options.index)
    for (const index of await indexesOf(client, options.index)) yield* settings(client, index)
  } catch (error) {
    yield { level: 'error', what: describeError(error) }
  } finally {
    client.close()
  }
}

/** Of a family, those that are there. */
async function indexesOf(
  client: ElasticsearchClient,
  index: string | undefined,
): Promise<readonly string[]> {
  if (index === undefined || !isFamily(index)) return index === undefined ? [] : [index]
  const path = `/${familyPattern(index)}/_alias`
  const { body } = await client.call<Readonly<Record<string, object>>>(
    { method: 'GET', path },
    [404],
  )
  return Object.keys(body).filter((name) => name !== 'error' && name !== 'status')
}

interface Root {
  readonly version?: { readonly number?: string; readonly distribution?: string }
}

async function product(client: ElasticsearchClient): Promise<Finding> {
  const { body } = await client.call<Root>({ method: 'GET', path: '/' })
  const { number, distribution } = body.version ?? {}
  if (number === undefined) {
    return { level: 'error', what: 'The address answers, but not as Elasticsearch or OpenSearch.' }
  }
  const name = distribution === 'opensearch' ? 'OpenSearch' : 'Elasticsearch'
  const what = `${name} ${number}`
  if (isSupported(name, number)) return { level: 'ok', what }
  const hint = 'Tested are Elasticsearch 8.19 and 9, OpenSearch 2 and 3.'
  return { level: 'warning', what: `${what} is not tested`, hint }
}

function isSupported(name: string, version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (name === 'OpenSearch') return major === 2 || major === 3
  return major === 9 || (major === 8 && minor >= 19)
}

type Flat = Readonly<Record<string, string>>

interface SettingsAnswer {
  readonly [index: string]: { readonly settings: Flat; readonly defaults?: Flat }
}

async function* settings(client: ElasticsearchClient, index: string): AsyncGenerator<Finding> {
  const path = `/${encodeURIComponent(index)}/_settings?flat_settings=true&include_defaults=true`
  const { status, body } = await client.call<SettingsAnswer>({ method: 'GET', path }, [404])
  if (status === 404) return yield { level: 'ok', what: `The index ${index} will be made.` }
  const names = Object.keys(body)
  if (names.length !== 1) {
    const what = `The alias ${index} names several indexes: ${names.join(', ')}.`
    return yield { level: 'error', what, hint: 'Name one index, or an alias of one.' }
  }
  const { settings, defaults } = body[names[0]!]!
  const findings = settingFindings(index, { ...defaults, ...settings })
  yield* findings.length > 0 ? findings : [{ level: 'ok', what: `The index ${index} is there.` }]
}

/** What in the settings of an index loses writes, revives deleted documents, or refuses all. */
export function settingFindings(index: string, settings: Flat): readonly Finding[] {
  const findings: Finding[] = []
  if (settings['index.translog.durability']?.toLowerCase() === 'async') {
    const what = `The index ${index} does not sync what it acknowledges: a crash loses some.`
    findings.push({ level: 'warning', what, hint: 'Set index.translog.durability to request.' })
  }
  if (/^([1-9]|[1-5]\d|60)s$|ms$/.test(settings['index.gc_deletes'] ?? '60s')) {
    const what = `The index ${index} forgets a delete within a minute.`
    findings.push({ level: 'warning', what, hint: 'Set index.gc_deletes to 1h.' })
  }
  const blocks = ['blocks.write', 'blocks.read_only', 'blocks.read_only_allow_delete']
  for (const block of blocks) {
    if (settings[`index.${block}`] !== 'true') continue
    const what = `The index ${index} takes no writes: index.${block} is set.`
    findings.push({ level: 'error', what, hint: 'Remove the block.' })
  }
  return findings
}

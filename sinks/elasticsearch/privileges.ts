import type { Finding } from '../../src/core/plugin.ts'
import { checkpointIndex } from './checkpoint-document.ts'
import type { ElasticsearchClient } from './client.ts'
import { familyPattern } from './placement.ts'

/** What a sink does to its indexes: documents, mapping, settings, aliases, statistics, deletion. */
const privileges = ['read', 'write', 'create_index', 'view_index_metadata', 'monitor', 'manage']

interface Rights {
  readonly has_all_requested?: boolean
  readonly index?: Readonly<Record<string, Readonly<Record<string, boolean>>>>
}

/**
 * Which rights are missing. Nothing is found where the server has no such question: OpenSearch, and
 * Elasticsearch without security.
 */
export async function* missingPrivileges(
  client: ElasticsearchClient,
  index: string | undefined,
): AsyncGenerator<Finding> {
  const names = [...(index === undefined ? [] : [familyPattern(index)]), checkpointIndex]
  const path = '/_security/user/_has_privileges'
  const body = { index: [{ names, privileges }] }
  const answer = await client.send({ method: 'POST', path, body })
  if (answer.status !== 200) return
  const rights = JSON.parse(answer.body.toString()) as Rights
  if (rights.has_all_requested !== false) return
  for (const [name, has] of Object.entries(rights.index ?? {})) {
    const missing = privileges.filter((privilege) => has[privilege] === false)
    if (missing.length === 0) continue
    const what = `The user may not do all that is needed with ${name}: ${missing.join(', ')}.`
    yield { level: 'error', what, hint: 'Grant these privileges for it to a role of the user.' }
  }
}

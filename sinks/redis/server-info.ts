/** What INFO says of a server, as far as it matters here. */
export interface ServerInfo {
  /** Made anew at each start of the server. */
  readonly runId: string
  readonly product: 'Redis' | 'Valkey'
  readonly version: string
  readonly isCluster: boolean
  readonly isReplica: boolean
  /** What is removed when memory is full; undefined if the section was not asked for. */
  readonly evictionPolicy: string | undefined
  /** Since its start. */
  readonly evictedKeys: number
}

/** Reads the answer to INFO; sections may be missing. */
export function readInfo(text: string): ServerInfo {
  const fields = new Map<string, string>()
  for (const [, name, value] of text.matchAll(/^(\w+):(.*?)\r?$/gm)) fields.set(name!, value!)
  const valkey = fields.get('valkey_version')
  return {
    runId: fields.get('run_id') ?? '',
    product: valkey === undefined ? 'Redis' : 'Valkey',
    version: valkey ?? fields.get('redis_version') ?? '',
    isCluster: (fields.get('server_mode') ?? fields.get('redis_mode')) === 'cluster',
    isReplica: fields.get('role') === 'slave',
    evictionPolicy: fields.get('maxmemory_policy'),
    evictedKeys: Number(fields.get('evicted_keys') ?? 0),
  }
}

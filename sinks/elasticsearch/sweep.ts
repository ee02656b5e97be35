import { MillraceError } from '../../src/core/errors.ts'
import type { BulkWriter, Write } from './bulk-writer.ts'
import type { ElasticsearchClient } from './client.ts'
import { digitsOf, parseExact } from './exact-json.ts'
import { faultOf } from './faults.ts'

const pageDocuments = 1_000

export interface Searched {
  /** Of the index to search. */
  readonly index: string
  readonly query: object
  /** Looks at one shard only. */
  readonly shard?: number
}

/**
 * Deletes what a search finds, each at the version found: a newer state that comes meanwhile stays.
 * Tells how many there were.
 */
export async function removeFound(
  client: ElasticsearchClient,
  bulk: BulkWriter,
  searched: Searched,
): Promise<number> {
  const { index, query, shard } = searched
  const path = `/${encodeURIComponent(index)}`
  await client.call({ method: 'POST', path: `${path}/_refresh` })
  const preference = shard === undefined ? '' : `?preference=_shards:${shard}`
  let removed = 0
  for (let after: unknown; ; ) {
    const body = {
      ...{ size: pageDocuments, version: true, _source: false, query },
      ...{ sort: [{ _seq_no: 'asc' }], track_total_hits: false },
      ...(after === undefined ? {} : { search_after: after }),
    }
    const answer = await client.send({ method: 'POST', path: `${path}/_search${preference}`, body })
    if (answer.status !== 200) throw faultOf(answer, 'The search for what is to be removed')
    const { hits } = (parseExact(answer.body) as { hits: { hits: Hit[] } }).hits
    await bulk.write(hits.map((hit) => removal(hit)))
    removed += hits.length
    if (hits.length < pageDocuments) return removed
    after = hits.at(-1)!.sort
  }
}

interface Hit {
  readonly _id: string
  readonly _index: string
  readonly _version: unknown
  readonly _routing?: string
  readonly sort: unknown
}

function removal({ _id, _index, _version, _routing }: Hit): Write {
  return {
    id: _id,
    index: _index,
    version: BigInt(digitsOf(_version)),
    routing: _routing,
    body: null,
    settle(outcome) {
      if (typeof outcome === 'string') return undefined
      throw new MillraceError('TARGET_MISCONFIGURED', `${outcome.code}: ${outcome.reason}`)
    },
  }
}

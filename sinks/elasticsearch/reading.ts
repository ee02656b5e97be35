import { checkpointKey, decodeCheckpoint } from '../../src/core/checkpoint.ts'
import { type IdOf, idTemplate, keyId } from '../../src/core/document-id.ts'
import type { SinkContext } from '../../src/core/plugin.ts'
import { guessKey, type Reading, type StoredDocument } from '../../src/core/reading.ts'
import type { Position } from '../../src/core/source.ts'
import { checkpointIndex } from './checkpoint-document.ts'
import { ElasticsearchClient, type Request } from './client.ts'
import { type Deletes, deletesOf, isDeleted, liveOnly } from './deletes.ts'
import { digitsOf, parseExact } from './exact-json.ts'
import { faultOf } from './faults.ts'
import { searchPattern, servingGeneration } from './generations.ts'
import type { ElasticsearchOptions } from './options.ts'
import { isFamily, placement } from './placement.ts'
import { Shape } from './shape.ts'
import { indexOf } from './target-index.ts'

/** Documents asked for at a time. */
const pageDocuments = 1_000
const keepAlive = '2m'

/** Reads an index at one point in time, or documents by their ids, as they are now. */
export class ElasticsearchReading implements Reading {
  readonly idOf: IdOf
  readonly expires = false
  readonly tellsAll = true
  readonly keepsDeleted: boolean
  readonly #client: ElasticsearchClient
  readonly #index: string
  readonly #alias: string | undefined
  #found: Promise<string> | undefined
  readonly #deletes: Deletes
  readonly #shape: Shape
  /** Whether an id alone tells where its document is. */
  readonly #isPlaced: boolean
  readonly #checkpointPath: string
  readonly #template: string | undefined

  constructor(options: ElasticsearchOptions, context: SinkContext) {
    const key = checkpointKey(context)
    this.#client = new ElasticsearchClient(options)
    const index = options.index ?? indexOf(context)
    this.#index = index
    this.#alias = options.alias
    this.#deletes = deletesOf(options, context)
    this.keepsDeleted = this.#deletes === 'ignore'
    this.#shape = new Shape({ deletes: this.#deletes, fields: options.fields })
    this.#isPlaced = placement(index, options.routing) === undefined
    this.#checkpointPath = `/${checkpointIndex}/_doc/${encodeURIComponent(key)}`
    this.#template = options.id
    this.idOf = options.id === undefined ? keyId : idTemplate(options.id)
  }

  keyOf(id: string): Uint8Array | undefined {
    return guessKey(id, this.idOf, this.#template)
  }

  render(body: Uint8Array): string {
    return Buffer.from(this.#shape.render(body)).toString()
  }

  async checkpoint(): Promise<Position | null> {
    const path = this.#checkpointPath
    const { _source } = (await this.#ask({ method: 'GET', path }, [404])) as { _source?: object }
    if (_source === undefined) return null
    return decodeCheckpoint(JSON.stringify(_source), path).position
  }

  async count(): Promise<number> {
    await this.#refresh()
    const path = `/${await this.#place()}/_count`
    const query = liveOnly(this.#deletes)
    const request: Request = { method: 'POST', path, ...(query && { body: { query } }) }
    const { count } = (await this.#ask(request)) as Counted
    return Number(digitsOf(count))
  }

  async *all(): AsyncGenerator<StoredDocument> {
    await this.#refresh()
    const point = await this.#openPoint()
    try {
      for (let after: unknown; ; ) {
        const hits = await this.#page(point, after)
        for (const hit of hits) yield this.#stored(hit)
        if (hits.length < pageDocuments) return
        after = hits.at(-1)!.sort
      }
    } finally {
      await this.#closePoint(point)
    }
  }

  /** A get sees what no refresh has shown to searches yet. */
  async some(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    if (!this.#isPlaced) return this.#search(ids)
    const documents: StoredDocument[] = []
    for (let at = 0; at < ids.length; at += pageDocuments) {
      const body = { ids: ids.slice(at, at + pageDocuments) }
      const path = `/${await this.#place()}/_mget`
      const { docs } = (await this.#ask({ method: 'POST', path, body })) as { docs: Got[] }
      for (const doc of docs) if (doc.found) documents.push(this.#stored(doc))
    }
    return documents
  }

  /** Whatever index or shard they are in. */
  async #search(ids: readonly string[]): Promise<readonly StoredDocument[]> {
    await this.#refresh()
    const documents: StoredDocument[] = []
    for (let at = 0; at < ids.length; at += pageDocuments) {
      const values = ids.slice(at, at + pageDocuments)
      const body = { size: values.length, version: true, query: { ids: { values } } }
      const path = `/${await this.#place()}/_search`
      const answer = await this.#ask({ method: 'POST', path, body })
      for (const hit of (answer as Hits).hits.hits) documents.push(this.#stored(hit))
    }
    return documents
  }

  #stored({ _id, _version, _source }: Hit): StoredDocument {
    const doc = isDeleted(this.#deletes, _source) ? null : JSON.stringify(_source)
    return { id: _id, version: BigInt(digitsOf(_version)), doc }
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  async #page({ id, sort }: Point, after: unknown): Promise<readonly Hit[]> {
    const body = {
      size: pageDocuments,
      version: true,
      sort: [sort],
      pit: { id, keep_alive: keepAlive },
      track_total_hits: false,
      ...(after === undefined ? {} : { search_after: after }),
    }
    const answer = await this.#ask({ method: 'POST', path: '/_search', body })
    return (answer as Hits).hits.hits
  }

  /**
   * The two products call it differently. In Elasticsearch a point in time brings an order of its
   * own; OpenSearch sorts by id, which Elasticsearch would refuse.
   */
  async #openPoint(): Promise<Point> {
    const query = `keep_alive=${keepAlive}`
    const path = `/${await this.#place()}/_pit?${query}`
    const answer = await this.#client.send({ method: 'POST', path })
    if (answer.status === 200) {
      const { id } = parseExact(answer.body) as { id: string }
      return { id, sort: '_shard_doc', close: { path: '/_pit', body: { id } } }
    }
    if (answer.status === 404 || answer.status === 503) throw faultOf(answer, 'The point in time')
    const other = `/${await this.#place()}/_search/point_in_time?${query}`
    const { pit_id: id } = (await this.#ask({ method: 'POST', path: other })) as { pit_id: string }
    const close = { path: '/_search/point_in_time', body: { pit_id: [id] } }
    return { id, sort: '_id', close }
  }

  /** It would end by itself; a failure to end it sooner is nobody's trouble. */
  async #closePoint({ close }: Point): Promise<void> {
    await this.#client.send({ method: 'DELETE', ...close }).catch(() => {})
  }

  /** The index; of a family, those of the generation that serves. */
  #place(): Promise<string> {
    this.#found ??= this.#find().then((found) => encodeURIComponent(searchPattern(found)))
    return this.#found
  }

  async #find(): Promise<string> {
    const index = this.#index
    if (this.#alias === undefined || !isFamily(index)) return index
    return (await servingGeneration(this.#client, index, this.#alias)) ?? index
  }

  async #refresh(): Promise<void> {
    await this.#ask({ method: 'POST', path: `/${await this.#place()}/_refresh` })
  }

  async #ask(request: Request, accept: readonly number[] = []): Promise<unknown> {
    const answer = await this.#client.send(request)
    const isFine = answer.status < 300 || accept.includes(answer.status)
    if (isFine) return parseExact(answer.body)
    throw faultOf(answer, `${request.method} ${request.path}`)
  }
}

interface Point {
  readonly id: string
  readonly sort: string
  readonly close: { readonly path: string; readonly body: object }
}

interface Hit {
  readonly _id: string
  readonly _version: unknown
  readonly _source: object
  readonly sort?: unknown
}

interface Hits {
  readonly hits: { readonly hits: readonly Hit[] }
}

interface Counted {
  readonly count: unknown
}

type Got = Hit & { readonly found?: boolean }

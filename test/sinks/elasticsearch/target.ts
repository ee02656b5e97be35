import { randomBytes } from 'node:crypto'
import { UndiciConnection } from '@elastic/transport'
import { checkpointIndex } from '../../../sinks/elasticsearch/checkpoint-document.ts'
import { elasticsearch } from '../../../sinks/elasticsearch/index.ts'
import { checkpointKey } from '../../../src/core/checkpoint.ts'
import type { Finding } from '../../../src/core/plugin.ts'
import type { Reading } from '../../../src/core/reading.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { TargetUnderTest } from '../../contract/sink.ts'
import { collect } from '../../support/collect.ts'

/** An index of its own on a server, with what tests want to see and do behind a sink's back. */
export interface Target extends TargetUnderTest {
  readonly url: string
  readonly index: string
  /** Of the sink, as they stand in a configuration. */
  readonly options: Readonly<Record<string, unknown>>
  readonly place: { readonly pipeline: string; readonly name: string }
  open(
    options?: Readonly<Record<string, unknown>>,
    place?: { readonly topic: string },
  ): Sink<LogRecord>
  /** Sends a request of its own, and gives the answer as text. */
  ask(method: string, path: string, body?: object): Promise<string>
  check(): Promise<readonly Finding[]>
  read(options?: Readonly<Record<string, unknown>>): Reading
  /** Path of the checkpoint's document. */
  readonly checkpoint: string
  /** What the sink said. */
  readonly said: readonly string[]
}

export async function makeTarget(url: string): Promise<Target> {
  const index = `orders-${randomBytes(6).toString('hex')}`
  const place = { pipeline: index, name: 'search', topic: 'orders', partition: 0 }
  const own = { url, index, settings: quick }
  const parse = (options: object) => elasticsearch.options.parse({ ...own, ...options })
  const checkpoint = `/${checkpointIndex}/_doc/${encodeURIComponent(checkpointKey(place))}`
  const open: Sink<LogRecord>[] = []
  const readings: Reading[] = []
  const said: string[] = []
  const ask = (method: string, path: string, body?: object) => askServer(url, method, path, body)
  return {
    ...{ url, index, said, ask, checkpoint, options: own, place },
    read(options = {}) {
      const reading = elasticsearch.read!(parse(options), { ...place, say: () => {} })
      readings.push(reading)
      return reading
    },
    open(options = {}, more) {
      const say = (line: string) => said.push(line)
      const sink = elasticsearch.open(parse(options), { ...place, ...more, say })
      open.push(sink)
      return sink
    },
    check: () => collect(elasticsearch.check(parse({}))),
    async stored() {
      await ask('POST', `/${index}/_refresh`)
      return documents(await ask('GET', `/${index}/_search?size=1000`))
    },
    async wipe() {
      await ask('DELETE', `/${index}`)
      await ask('DELETE', checkpoint)
    },
    async close() {
      for (const each of [...open, ...readings]) await each.close()
      await ask('DELETE', `/${index}`)
      await ask('DELETE', checkpoint)
    },
  }
}

const quick = { number_of_shards: 2, number_of_replicas: 0 }

/** Through Elastic's own connection: a second opinion on what the server holds. */
async function askServer(url: string, method: string, path: string, body?: object) {
  const connection = new UndiciConnection({ url: new URL(url) })
  const content = body && {
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  }
  const about = { requestId: 1, name: 'test', context: null }
  try {
    const [pathname = path, querystring] = path.split('?')
    const request = { method, path: pathname, ...(querystring && { querystring }), ...content }
    return String((await connection.request(request, about)).body)
  } finally {
    await connection.close()
  }
}

interface Hits {
  readonly hits: { readonly hits: readonly { readonly _id: string; readonly _source: object }[] }
}

const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown }

/** Documents with every number digit by digit. */
function documents(text: string): ReadonlyMap<string, string> {
  const keepDigits = (_: string, value: unknown, context?: { source: string }) =>
    typeof value === 'number' ? rawJson(context!.source) : value
  const { hits } = JSON.parse(text, keepDigits) as Hits
  return new Map(hits.hits.map(({ _id, _source }) => [_id, JSON.stringify(_source)]))
}

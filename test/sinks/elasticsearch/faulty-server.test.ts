import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { gunzip, gzipSync } from 'node:zlib'
import { type Test, test } from 'tap'
import { BulkWriter } from '../../../sinks/elasticsearch/bulk-writer.ts'
import { ElasticsearchClient } from '../../../sinks/elasticsearch/client.ts'
import { Shape } from '../../../sinks/elasticsearch/shape.ts'
import { foldDocuments } from '../../../src/core/fold.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import { collect } from '../../support/collect.ts'
import { put } from '../../support/records.ts'

const unpack = promisify(gunzip)

/** What a server does that has received a request whole. */
type Reply = (response: ServerResponse, body: string, request: IncomingMessage) => void

test('items that the server is too busy for are offered again, and no others', async (t) => {
  const server = await faulty(t, [
    (response, body) => bulkAnswer(response, body, (id) => (id === '2' ? 429 : 201)),
    (response, body) => bulkAnswer(response, body, () => 201),
  ])
  t.same(await write(t, server.url, 3), ['applied', 'applied', 'applied'])
  t.same(server.ids, [['1', '2', '3'], ['2']])
})

test('a whole request that comes too early is sent again after the time asked for', async (t) => {
  for (const status of [429, 503]) {
    const server = await faulty(t, [
      (response) => response.writeHead(status, { 'retry-after': '0.01' }).end('{}'),
      (response, body) => bulkAnswer(response, body, () => 201),
    ])
    t.same(await write(t, server.url, 2), ['applied', 'applied'])
    t.same(server.ids, [
      ['1', '2'],
      ['1', '2'],
    ])
  }
})

test('a server that stays busy is a transient error', async (t) => {
  const reason = 'rejected execution of coordinating operation'
  const error = { type: 'es_rejected_execution_exception', reason }
  const server = await faulty(t, [
    (response) => response.writeHead(429).end(JSON.stringify({ error, status: 429 })),
  ])
  await t.rejects(write(t, server.url, 2), { code: 'TARGET_BUSY', message: /coordinating/ })
})

test('a request that is too large is halved until it passes', async (t) => {
  const server = await faulty(t, [
    (response, body) =>
      body.length > 400 ? response.writeHead(413).end() : bulkAnswer(response, body, () => 201),
  ])
  t.same(await write(t, server.url, 16), new Array(16).fill('applied'))
  const taken = server.bodies.filter((body) => body.length <= 400).flatMap(idsOf)
  t.same(
    taken,
    Array.from({ length: 16 }, (_, i) => String(i + 1)),
  )
})

test('a document that is too large by itself is refused', async (t) => {
  const server = await faulty(t, [(response) => response.writeHead(413).end()])
  const [outcome] = await write(t, server.url, 1)
  t.match(outcome, { code: 'request_too_large' })
})

test('a document that fails its whole request is found and refused', async (t) => {
  const error = { type: 'action_request_validation_exception', reason: 'Validation Failed: …' }
  const server = await faulty(t, [
    (response, body) =>
      idsOf(body).includes('5')
        ? response.writeHead(400).end(JSON.stringify({ error, status: 400 }))
        : bulkAnswer(response, body, () => 201),
  ])
  const outcomes = await write(t, server.url, 9)
  t.match(outcomes[4], { code: 'action_request_validation_exception' })
  t.same(outcomes.toSpliced(4, 1), new Array(8).fill('applied'))
})

test('an answer that comes before the request was read counts', async (t) => {
  const server = createServer((request, response) => {
    response.writeHead(413, { connection: 'close' }).end()
    setTimeout(() => request.socket.destroy(), 5)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const client = clientOf(t, `http://127.0.0.1:${port}`)
  const body = Buffer.alloc(20_000_000, 0x20)
  const { status } = await client.send({ method: 'POST', path: '/_bulk', body })
  t.equal(status, 413)
})

test('a page of a proxy is no answer, whatever its status', async (t) => {
  for (const status of [200, 404, 502]) {
    const server = await faulty(t, [
      (response) => response.writeHead(status).end('<html><h1>It works</h1></html>'),
    ])
    await t.rejects(write(t, server.url, 2), { code: 'CONNECTION_LOST', message: /It works/ })
  }
})

test('wrong credentials are a matter for an operator', async (t) => {
  for (const status of [401, 403]) {
    const server = await faulty(t, [(response) => response.writeHead(status).end('denied')])
    await t.rejects(write(t, server.url, 2), { code: 'ACCESS_DENIED' })
  }
})

test('a connection that is cut after the request was applied is a transient error', async (t) => {
  const server = await faulty(t, [
    (_response, _body, request) => request.socket.destroy(),
    (response, body) => bulkAnswer(response, body, () => 200),
  ])
  await t.rejects(write(t, server.url, 2), { code: 'CONNECTION_LOST' })
  t.same(await write(t, server.url, 2), ['applied', 'applied'])
  t.same(server.ids, [
    ['1', '2'],
    ['1', '2'],
  ])
})

test('an idle connection that the server has closed is replaced without a word', async (t) => {
  const server = await faulty(t, [
    (response, body) => bulkAnswer(response, body, () => 201),
    (_response, _body, request) => request.socket.resetAndDestroy(),
    (response, body) => bulkAnswer(response, body, () => 201),
  ])
  const client = clientOf(t, server.url)
  await writeBy(client, 1)
  t.same(await writeBy(client, 1), ['applied'])
})

test('a server that does not answer in time is a transient error', async (t) => {
  const server = await faulty(t, [() => {}])
  const client = clientOf(t, server.url, { requestTimeoutMs: 100 })
  await t.rejects(writeBy(client, 1), { code: 'CONNECTION_LOST', message: /0\.1 s/ })
})

test('another node is asked when one is down', async (t) => {
  const server = await faulty(t, [(response, body) => bulkAnswer(response, body, () => 201)])
  const gone = await faulty(t, [])
  await gone.stop()
  const client = clientOf(t, [gone.url, server.url])
  for (let i = 0; i < 4; i++) t.same(await writeBy(client, 1), ['applied'])
  await server.stop()
  await t.rejects(writeBy(client, 1), { code: 'CONNECTION_LOST' })
})

test('every request signs in, in the way that is configured', async (t) => {
  const seen: (string | undefined)[] = []
  const server = await faulty(t, [
    (response, body, request) => {
      seen.push(request.headers.authorization)
      bulkAnswer(response, body, () => 201)
    },
  ])
  const withPassword = server.url.replace('//', '//elastic:p%40ss@')
  await writeBy(clientOf(t, server.url, { auth: { apiKey: 'aWQ6a2V5' } }), 1)
  await writeBy(clientOf(t, server.url, { auth: { bearer: 'token' } }), 1)
  await writeBy(clientOf(t, server.url, { auth: { username: 'u', password: 'p' } }), 1)
  await writeBy(clientOf(t, withPassword), 1)
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  t.same(seen, ['ApiKey aWQ6a2V5', 'Bearer token', basic('u:p'), basic('elastic:p@ss')])
})

test('requests are packed where that is asked for, and answers unpacked', async (t) => {
  const seen: [string | undefined, number][] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await collect<Buffer>(request))
    seen.push([request.headers['content-encoding'], body.length])
    const text = JSON.stringify({ length: (await unpack(body)).length })
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = clientOf(t, url, { gzip: true })
  const body = Buffer.alloc(100_000, 'a row like any other')
  const answer = await client.send({ method: 'POST', path: '/_bulk', body })
  t.same(JSON.parse(String(answer.body)), { length: 100_000 })
  t.equal(seen[0]![0], 'gzip')
  t.ok(seen[0]![1] < 1_000)
})

test('a whole batch keeps no more requests under way than the server takes well', async (t) => {
  let [underWay, most, isBusy] = [0, 0, false]
  const server = await faulty(t, [
    async (response, body) => {
      most = Math.max(most, ++underWay)
      await new Promise((resolve) => setTimeout(resolve, 5))
      underWay--
      bulkAnswer(response, body, () => (isBusy ? 429 : 201))
    },
  ])
  const client = clientOf(t, server.url, { inFlight: 8 })
  const writer = new BulkWriter(client, 'orders', { ...limits, batchDocuments: 10, inFlight: 8 })
  await writer.write(writesOf(2_000).writes)
  t.ok(most > 2, `it grows: ${most}`)
  isBusy = true
  await t.rejects(writer.write(writesOf(10).writes), { code: 'TARGET_BUSY' })
  isBusy = false
  most = 0
  await writer.write(writesOf(20).writes)
  t.equal(most, 1, 'and it falls')
})

interface Faulty {
  readonly url: string
  readonly bodies: readonly string[]
  readonly ids: readonly (readonly string[])[]
  stop(): Promise<void>
}

/** Gives one reply after the other, and the last one for ever. */
async function faulty(t: Test, replies: readonly Reply[]): Promise<Faulty> {
  const bodies: string[] = []
  const server = createServer(async (request, response) => {
    const chunks = await collect<Buffer>(request)
    const body = Buffer.concat(chunks).toString()
    const reply = replies[Math.min(bodies.push(body), replies.length) - 1]!
    reply(response, body, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  t.teardown(stop)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ...{ url, bodies, stop },
    get ids() {
      return bodies.map(idsOf)
    },
  }
}

function idsOf(body: string): string[] {
  return [...body.matchAll(/"_id":"([^"]*)"/g)].map(([, id]) => id!)
}

function bulkAnswer(response: ServerResponse, body: string, statusOf: (id: string) => number) {
  const items = idsOf(body).map((id) => {
    const status = statusOf(id)
    const error = status < 300 ? undefined : { type: 'rejected_execution_exception', reason: '' }
    return { index: { status, error } }
  })
  const errors = items.some(({ index }) => index.error !== undefined)
  response.writeHead(200).end(JSON.stringify({ errors, items }))
}

type Options = Partial<ConstructorParameters<typeof ElasticsearchClient>[0]>

function clientOf(t: Test, url: string | string[], options: Options = {}): ElasticsearchClient {
  const client = new ElasticsearchClient({ url, inFlight: 1, requestTimeoutMs: 5000, ...options })
  t.teardown(() => client.close())
  return client
}

const limits = { batchBytes: 1_000_000, batchDocuments: 1000, inFlight: 1 }

async function writeBy(client: ElasticsearchClient, count: number) {
  const { fold, writes } = writesOf(count)
  await new BulkWriter(client, 'orders', limits).write(writes)
  return fold.outcomes
}

function writesOf(count: number) {
  const records: LogRecord[] = Array.from({ length: count }, (_, i) =>
    put(String(i + 1), { i }, { ordinal: i }),
  )
  const fold = foldDocuments(records)
  return { fold, writes: new Shape({ deletes: 'remove' }).writes(fold) }
}

function write(t: Test, url: string, count: number) {
  return writeBy(clientOf(t, url), count)
}

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import { ElasticsearchClient } from '../../../sinks/elasticsearch/client.ts'
import { elasticsearch } from '../../../sinks/elasticsearch/index.ts'
import { missingPrivileges } from '../../../sinks/elasticsearch/privileges.ts'
import { collect } from '../../support/collect.ts'

/** As Elasticsearch documents the answer; the servers of the tests have no security. */
const answer = {
  username: 'writer',
  has_all_requested: false,
  cluster: {},
  index: {
    'orders-*': { read: true, write: true, create_index: false, monitor: true, manage: false },
    'millrace-checkpoints': { read: true, write: true, create_index: true },
  },
  application: {},
}

test('rights that are missing are named', async (t) => {
  const asked: string[] = []
  const client = await clientOf(t, 200, answer, asked)
  t.same(await collect(missingPrivileges(client, 'orders-{at:yyyy}')), [
    {
      level: 'error',
      what: 'The user may not do all that is needed with orders-*: create_index, manage.',
      hint: 'Grant these privileges for it to a role of the user.',
    },
  ])
  t.match(JSON.parse(asked[0]!), { index: [{ names: ['orders-*', 'millrace-checkpoints'] }] })
})

test('a server that does not know the question has no rights to miss', async (t) => {
  for (const status of [400, 404, 405, 500]) {
    const client = await clientOf(t, status, { error: 'no handler found' })
    t.same(await collect(missingPrivileges(client, 'orders')), [])
  }
  const whole = await clientOf(t, 200, { ...answer, has_all_requested: true })
  t.same(await collect(missingPrivileges(whole, undefined)), [])
})

async function clientOf(t: Test, status: number, body: object, asked: string[] = []) {
  const server = createServer(async (request, response) => {
    asked.push(Buffer.concat(await collect<Buffer>(request)).toString())
    response.writeHead(status).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = new ElasticsearchClient(elasticsearch.options.parse({ url }))
  t.teardown(() => {
    client.close()
    server.close()
  })
  return client
}

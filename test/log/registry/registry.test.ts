import { appendFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { RegistryClient } from '../../../src/log/registry/client.ts'
import { incompatibilities, type Level } from '../../../src/log/registry/compatibility.ts'
import { serveRegistry } from '../../../src/log/registry/server.ts'
import { makeAuthority, makeCertificate } from '../../support/certificates.ts'

const subject = 'shop.orders-value'
const first = avroRecord([{ name: 'id', type: 'int' }])
const wider = avroRecord([
  { name: 'id', type: 'int' },
  { name: 'note', type: ['null', 'string'], default: null },
])
const narrower = avroRecord([
  { name: 'id', type: 'int' },
  { name: 'note', type: 'string' },
])

test('a schema gets an id once, under every subject, also after a restart', async (t) => {
  const path = join(t.testdir({}), 'schemas.ndjson')
  const server = await serveRegistry({ path })
  const client = new RegistryClient({ url: server.url })
  t.equal(await client.register(subject, first, 'AVRO'), 1)
  t.equal(await client.register('other-value', first, 'AVRO'), 1)
  t.equal(await client.register(subject, wider, 'AVRO'), 2)
  t.same(JSON.parse(await client.schema(2)), JSON.parse(wider))
  await server.close()
  appendFileSync(path, '{"subject":"cut o')
  const again = await serveRegistry({ path })
  const other = new RegistryClient({ url: again.url })
  t.equal(await other.register(subject, wider, 'AVRO'), 2)
  t.same(await ask(again.url, 'GET', '/subjects'), { status: 200, body: ['other-value', subject] })
  t.same(await ask(again.url, 'GET', `/subjects/${subject}/versions`), {
    status: 200,
    body: [1, 2],
  })
  for (const each of [client, other]) each.close()
  await again.close()
})

test('a schema that does not go with those before is refused, with the reason', async (t) => {
  const { client, url } = await open(t)
  await client.register(subject, first, 'AVRO')
  await t.rejects(client.register(subject, narrower, 'AVRO'), {
    code: 'SCHEMA_INCOMPATIBLE',
    message: /^The new shape of shop\.orders-value does not go with those before it: .*note/,
  })
  t.same(await ask(url, 'GET', `/subjects/${subject}/versions`), { status: 200, body: [1] })
  await ask(url, 'PUT', `/config/${subject}`, { compatibility: 'NONE' })
  t.equal(await client.register(subject, narrower, 'AVRO'), 2, 'what was refused is asked again')
})

test('the answers are those of Confluent’s registry', async (t) => {
  const { client, url } = await open(t)
  await client.register(subject, first, 'AVRO')
  const path = `/subjects/${subject}`
  t.same(await ask(url, 'GET', '/schemas/ids/1'), { status: 200, body: { schema: first } })
  t.match(await ask(url, 'GET', `${path}/versions/latest`), {
    status: 200,
    body: { subject, version: 1, id: 1, schema: first },
  })
  t.match(await ask(url, 'POST', path, { schema: first }), { status: 200, body: { version: 1 } })
  t.match(await ask(url, 'POST', path, { schema: wider }), {
    status: 404,
    body: { error_code: 40403 },
  })
  const compatibility = `/compatibility${path}/versions/latest`
  t.match(await ask(url, 'POST', compatibility, { schema: wider }), {
    body: { is_compatible: true },
  })
  t.match(await ask(url, 'POST', compatibility, { schema: narrower }), {
    body: { is_compatible: false, messages: [/note/] },
  })
  t.match(await ask(url, 'GET', '/config'), { body: { compatibilityLevel: 'BACKWARD' } })
  t.match(await ask(url, 'GET', '/subjects/none/versions'), { body: { error_code: 40401 } })
  t.match(await ask(url, 'GET', '/schemas/ids/9'), { status: 404, body: { error_code: 40403 } })
  t.match(await ask(url, 'POST', `${path}/versions`, { schema: '{' }), { status: 422 })
  t.match(await ask(url, 'PUT', '/config', { compatibility: 'SOME' }), { status: 422 })
})

test('levels look back at one schema or at all, in one direction or in both', (t) => {
  const number = avroRecord([{ name: 'id', type: 'long' }])
  const check = (schema: string, before: readonly string[], level: Level) =>
    incompatibilities(schema, before, { level, type: 'AVRO' }).length === 0
  t.ok(check(number, [first], 'BACKWARD'), 'int is read as long')
  t.notOk(check(number, [first], 'FORWARD'))
  t.notOk(check(number, [first], 'FULL'))
  t.ok(check(first, [number], 'FORWARD'))
  t.ok(check(number, [narrower, wider], 'BACKWARD'))
  t.notOk(check(narrower, [first, narrower], 'BACKWARD_TRANSITIVE'))
  t.ok(check(narrower, [first, narrower], 'BACKWARD'))
  t.ok(check(narrower, [first], 'NONE'))
  t.end()
})

test('JSON Schemas may gain and lose what is optional, but nothing changes its type', (t) => {
  const schema = (properties: object, required: readonly string[] = []) =>
    JSON.stringify({ type: 'object', properties, required })
  const check = (next: string, before: string) =>
    incompatibilities(next, [before], { level: 'BACKWARD', type: 'JSON' })
  const old = schema({ a: { type: 'integer' } })
  t.same(check(schema({ a: { type: 'integer' }, b: { type: 'string' } }), old), [])
  t.same(check(schema({}), old), [])
  t.same(check(schema({ a: { type: 'string' } }), old), ['/a: "integer" became "string"'])
  t.same(check(schema({}, ['b']), old), ['/b is required'])
  t.end()
})

test('a record type is compatible with itself, whatever its fields', async (t) => {
  const type = fc.constantFrom('int', 'long', 'string', 'bytes', 'boolean', 'double')
  const fields = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,5}$/), { minLength: 1 })
  const property = fc.property(
    fields,
    fc.array(type, { minLength: 20, maxLength: 20 }),
    (names, types) => {
      const schema = avroRecord(names.map((name, i) => ({ name, type: types[i % 20]! })))
      return incompatibilities(schema, [schema], { level: 'FULL', type: 'AVRO' }).length === 0
    },
  )
  fc.assert(property)
  t.pass('it is')
})

test('a registry that stumbles is asked again, one that refuses us is named', async (t) => {
  let asked = 0
  const seen: (string | undefined)[] = []
  const server = createServer((request: IncomingMessage, response) => {
    seen.push(request.headers.authorization)
    request.resume()
    if (++asked === 1) return void request.socket.destroy()
    response.writeHead(asked === 2 ? 503 : request.url?.includes('secret') ? 401 : 200)
    response.end(JSON.stringify({ id: 7 }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = new RegistryClient({ url: `http://user:p%40ss@127.0.0.1:${port}/base/` })
  t.teardown(() => {
    client.close()
    server.close()
  })
  t.equal(await client.register(subject, first, 'AVRO'), 7)
  t.equal(await client.register(subject, first, 'AVRO'), 7)
  t.equal(asked, 3, 'what it said is remembered')
  t.equal(seen.at(-1), `Basic ${Buffer.from('user:p@ss').toString('base64')}`)
  await t.rejects(client.register('secret', first, 'AVRO'), { code: 'ACCESS_DENIED' })
  const nobody = new RegistryClient({ url: 'http://127.0.0.1:9' })
  await t.rejects(nobody.schema(1), { code: 'CONNECTION_LOST', message: /registry at 127/ })
})

test('a registry behind TLS is asked with our certificate', async (t) => {
  const authority = makeAuthority('registry authority')
  const own = makeCertificate('registry', authority, ['localhost'])
  const ours = makeCertificate('client', authority)
  const identity = { ca: authority.pem, cert: own.pem, key: own.key }
  const server = createSecureServer({ ...identity, requestCert: true }, (request, response) => {
    request.resume()
    const { subject } = (request.socket as TLSSocket).getPeerCertificate()
    response.writeHead(subject?.CN === 'client' ? 200 : 401).end('{"id":7}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `https://localhost:${port}`
  const tls = { ca: authority.pem, cert: ours.pem, key: ours.key }
  const client = new RegistryClient({ url, tls })
  const stranger = new RegistryClient({ url })
  t.teardown(() => {
    for (const each of [client, stranger]) each.close()
    server.close()
  })
  t.equal(await client.register(subject, first, 'AVRO'), 7)
  await t.rejects(stranger.register(subject, first, 'AVRO'), { code: 'CONNECTION_LOST' })
})

async function open(t: Test) {
  const server = await serveRegistry({ path: join(t.testdir({}), 'schemas.ndjson') })
  const client = new RegistryClient({ url: server.url })
  t.teardown(async () => {
    client.close()
    await server.close()
  })
  return { client, url: server.url }
}

async function ask(url: string, method: string, path: string, body?: object) {
  const answer = await fetch(`${url}${path}`, {
    method,
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as unknown }
}

function avroRecord(fields: readonly object[]): string {
  return JSON.stringify({ type: 'record', name: 'Value', fields })
}

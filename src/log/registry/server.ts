/*
 * A schema registry for one machine and for tests: the part of Confluent's API that producers and
 * consumers use. No access control: it listens on this machine only, unless told otherwise.
 */
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SchemaType } from './client.ts'
import { type Level, levels } from './compatibility.ts'
import { SchemaStore, type StoredSchema } from './schema-store.ts'

export interface RegistryServer {
  readonly url: string
  close(): Promise<void>
}

export interface RegistryServerOptions {
  /** The file that holds the schemas. */
  readonly path: string
  readonly host?: string
  readonly port?: number
}

export async function serveRegistry({
  path,
  host = '127.0.0.1',
  port = 0,
}: RegistryServerOptions): Promise<RegistryServer> {
  const store = new SchemaStore(path)
  const server = http.createServer((request, response) => {
    void answer(store, request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
      response.end(JSON.stringify(body))
    })
  })
  server.listen(port, host)
  await once(server, 'listening')
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      store.close()
    },
  }
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

class Refusal extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

async function answer(store: SchemaStore, request: IncomingMessage): Promise<Answer> {
  try {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const body = text === '' ? {} : (JSON.parse(text) as Body)
    const { pathname } = new URL(request.url ?? '/', 'http://registry')
    const steps = pathname.split('/').filter(Boolean).map(decodeURIComponent)
    return { status: 200, body: route(store, `${request.method}`, { steps, body }) }
  } catch (error) {
    const code = error instanceof Refusal ? error.code : 42201
    const { message } = error as Error
    return { status: Math.floor(code / 100), body: { error_code: code, message } }
  }
}

interface Body {
  readonly schema?: string
  readonly schemaType?: SchemaType
  readonly compatibility?: Level
}

interface Asked {
  readonly steps: readonly string[]
  readonly body: Body
}

function route(store: SchemaStore, method: string, { steps, body }: Asked): unknown {
  const [first, second, third, fourth, fifth] = steps
  if (first === 'compatibility') return compatible(store, third!, { version: fifth!, body })
  if (first === 'config') return config(store, method, { subject: second ?? null, body })
  if (first === 'schemas' && second === 'types') return ['AVRO', 'JSON']
  if (first === 'schemas' && second === 'ids') return shown(schemaById(store, Number(third)))
  if (first !== 'subjects') throw new Refusal(40400, 'there is nothing there')
  if (second === undefined) return store.subjects
  if (method === 'POST' && third === undefined) return lookUp(store, second, body)
  if (method === 'POST') return register(store, second, body)
  if (fourth === undefined) return subjectOf(store, second).map(({ version }) => version)
  return versionOf(store, second, fourth)
}

function register(store: SchemaStore, subject: string, { schema, schemaType = 'AVRO' }: Body) {
  const known = store.find(subject, schema ?? '')
  const why = known === undefined ? store.check(subject, schema ?? '', schemaType) : []
  if (why.length > 0) {
    throw new Refusal(40900, `Schema being registered is incompatible: ${why.join('; ')}`)
  }
  return { id: store.add(subject, schema!, schemaType).id }
}

function lookUp(store: SchemaStore, subject: string, { schema = '' }: Body): StoredSchema {
  subjectOf(store, subject)
  const found = store.find(subject, schema)
  if (found === undefined) throw new Refusal(40403, 'Schema not found')
  return found
}

function compatible(
  store: SchemaStore,
  subject: string,
  { version, body }: { readonly version: string; readonly body: Body },
) {
  versionOf(store, subject, version)
  const messages = store.check(subject, body.schema ?? '', body.schemaType ?? 'AVRO')
  return { is_compatible: messages.length === 0, messages }
}

function config(
  store: SchemaStore,
  method: string,
  { subject, body }: { readonly subject: string | null; readonly body: Body },
) {
  if (method === 'GET') return { compatibilityLevel: store.level(subject) }
  const level = body.compatibility
  if (level === undefined || !levels.includes(level)) {
    throw new Refusal(42203, `Invalid compatibility level; there is ${levels.join(', ')}`)
  }
  store.setLevel(subject, level)
  return { compatibility: level }
}

function subjectOf(store: SchemaStore, subject: string): readonly StoredSchema[] {
  const versions = store.versions(subject)
  if (versions.length === 0) throw new Refusal(40401, `Subject '${subject}' not found.`)
  return versions
}

function versionOf(store: SchemaStore, subject: string, version: string): StoredSchema {
  const versions = subjectOf(store, subject)
  const found = version === 'latest' ? versions.at(-1) : versions[Number(version) - 1]
  if (found === undefined) throw new Refusal(40402, `Version ${version} not found.`)
  return found
}

function schemaById(store: SchemaStore, id: number): StoredSchema {
  const found = store.byId(id)
  if (found === undefined) throw new Refusal(40403, 'Schema not found')
  return found
}

/** Avro is what a schema is of if nothing is said. */
function shown({ schema, schemaType }: StoredSchema) {
  return schemaType === 'AVRO' ? { schema } : { schema, schemaType }
}

import http from 'node:http'
import https from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import { MillraceError } from '../../core/errors.ts'
import { backoffMs } from '../../core/supervise.ts'

export type SchemaType = 'AVRO' | 'JSON'

export interface RegistryOptions {
  /** Such as `https://registry:8081`; may hold user and password. */
  readonly url: string
  readonly tls?: ConnectionOptions
  readonly timeoutMs?: number
}

interface Answer {
  readonly status: number
  readonly body: { readonly id?: number; readonly schema?: string; readonly message?: string } & {
    readonly is_compatible?: boolean
    readonly messages?: readonly string[]
  }
}

/** An answer that does not come, or a server that is not up to it, is asked for so many times. */
const attempts = 4

const contentType = 'application/vnd.schemaregistry.v1+json'

/** A schema registry with Confluent's API. What it has said once is remembered. */
export class RegistryClient {
  readonly #url: URL
  readonly #options: RegistryOptions
  readonly #agent: http.Agent
  readonly #ids = new Map<string, Promise<number>>()
  readonly #schemas = new Map<number, Promise<string>>()

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#url = new URL(options.url)
    const isSecure = this.#url.protocol === 'https:'
    const agent = { keepAlive: true, maxSockets: 4 }
    this.#agent = isSecure ? new https.Agent({ ...agent, ...options.tls }) : new http.Agent(agent)
  }

  /**
   * The id of a schema under a subject, where it is made known if need be. Throws
   * SCHEMA_INCOMPATIBLE if the subject's rule does not allow it after those that are there.
   */
  register(subject: string, schema: string, schemaType: SchemaType): Promise<number> {
    const key = JSON.stringify([subject, schemaType, schema])
    return remember(this.#ids, key, () => this.#register(subject, schema, schemaType))
  }

  /** The text of a schema. */
  schema(id: number): Promise<string> {
    return remember(this.#schemas, id, async () => {
      const { status, body } = await this.#ask('GET', `/schemas/ids/${id}`)
      if (status === 200) return body.schema!
      throw new MillraceError('SERVER_ERROR', `The registry has no schema ${id}: ${body.message}.`)
    })
  }

  /** Throws if the registry does not answer, or not us. */
  async check(): Promise<void> {
    const { status, body } = await this.#ask('GET', '/subjects')
    if (status === 200) return
    const message = `The registry at ${this.#url.host} answered ${status}: ${body.message}.`
    throw new MillraceError('SERVER_ERROR', message)
  }

  close(): void {
    this.#agent.destroy()
  }

  async #register(subject: string, schema: string, schemaType: SchemaType): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const { status, body } = await this.#ask('POST', path, { schema, schemaType })
    if (status === 200 && body.id !== undefined) return body.id
    if (status !== 409) {
      const message = `The registry refused a schema of ${subject}: ${body.message ?? status}.`
      throw new MillraceError('SERVER_ERROR', message)
    }
    const why = await this.#ask('POST', `/compatibility${path}/latest?verbose=true`, {
      schema,
      schemaType,
    })
    const reasons = why.body.messages?.join('; ') || body.message
    const message = `The new shape of ${subject} does not go with those before it: ${reasons}.`
    throw new MillraceError('SCHEMA_INCOMPATIBLE', message)
  }

  async #ask(method: string, path: string, body?: object): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.#send(method, path, body)
        if (answer.status === 401 || answer.status === 403) {
          const message = `The registry at ${this.#url.host} refused us: ${answer.status}.`
          throw new MillraceError('ACCESS_DENIED', message)
        }
        if (answer.status < 500 && answer.status !== 429) return answer
        if (attempt === attempts) {
          const message = `The registry at ${this.#url.host} answered ${answer.status}.`
          throw new MillraceError('CONNECTION_LOST', message)
        }
      } catch (cause) {
        if (cause instanceof MillraceError) throw cause
        const message = `No answer from the registry at ${this.#url.host}: ${(cause as Error).message}.`
        if (attempt === attempts) throw new MillraceError('CONNECTION_LOST', message, { cause })
      }
      await sleep(backoffMs(attempt))
    }
  }

  #send(method: string, path: string, body?: object): Promise<Answer> {
    const { protocol, username, password } = this.#url
    const text = body === undefined ? undefined : JSON.stringify(body)
    const auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    const base = this.#url.pathname.replace(/\/$/, '')
    return new Promise((resolve, reject) => {
      const request = (protocol === 'https:' ? https : http).request(
        new URL(`${base}${path}`, this.#url),
        {
          ...{ method, agent: this.#agent, timeout: this.#options.timeoutMs ?? 10_000 },
          ...(username === '' ? {} : { auth }),
          headers: { accept: contentType, ...(text && { 'content-type': contentType }) },
        },
        (response) => void readAnswer(response).then(resolve, reject),
      )
      request.on('timeout', () => request.destroy(new Error('it took too long')))
      request.on('error', reject)
      request.end(text)
    })
  }
}

async function readAnswer(response: http.IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString()
  const status = response.statusCode ?? 0
  try {
    return { status, body: JSON.parse(text) as Answer['body'] }
  } catch {
    return { status, body: { message: text.slice(0, 200) } }
  }
}

/** A failure is not remembered. */
function remember<K, V>(known: Map<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
  let answer = known.get(key)
  if (answer === undefined) {
    answer = ask()
    known.set(key, answer)
    answer.catch(() => known.delete(key))
  }
  return answer
}

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../core/errors.ts'
import type { Column, Schema } from '../../core/schema.ts'
import { type Access, Cluster } from './cluster.ts'
import type { Found } from './headers.ts'
import { Producer } from './producer.ts'
import { scanPartition } from './scan-partition.ts'
import { ensureTopic, type TopicPolicy } from './topics.ts'

/**
 * The columns behind the rows of all topics of a cluster, as records of one compacted topic: the
 * schema's id → its columns as JSON. A record of a row names its schema in a header. They are
 * written without a transaction before the rows that name them, so that no transaction of somebody
 * else that is still open can hide them.
 */
export const schemaTopic = '__millrace.schemas'

/** A schema is there before its rows; how long a reader waits for a replica to have it. */
const patienceMs = 10_000

const ids = new WeakMap<Schema, string>()

/** Names a schema by what it says, so that the same columns have the same name everywhere. */
export function schemaId(schema: Schema): string {
  let id = ids.get(schema)
  if (id === undefined) {
    id = createHash('sha256')
      .update(JSON.stringify(schema.columns))
      .digest('base64url')
      .slice(0, 16)
    ids.set(schema, id)
  }
  return id
}

export class Schemas {
  readonly #access: Access
  readonly #policy: TopicPolicy
  readonly #known = new Map<string, Schema>()
  #read = 0
  #waiting: { readonly record: Found; readonly id: string }[] = []

  constructor(access: Access, policy: TopicPolicy) {
    this.#access = access
    this.#policy = policy
  }

  /** Whether records wait for a schema that was not seen yet. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Gives a record the schema that it names, now or at the next `settle`. */
  attach(record: Found, id: string): void {
    const schema = this.#known.get(id)
    if (schema === undefined) this.#waiting.push({ record, id })
    else record.schema = schema
  }

  /** Reads the schemas that records wait for. Throws LOG_CORRUPT if one is missing. */
  async settle(): Promise<void> {
    const cluster = new Cluster(this.#access)
    try {
      const deadline = performance.now() + patienceMs
      while (this.#waiting.length > 0) {
        await this.#refresh(cluster)
        const waiting = this.#waiting
        this.#waiting = []
        for (const { record, id } of waiting) this.attach(record, id)
        if (this.#waiting.length === 0) return
        if (performance.now() > deadline) {
          const message = `The topic ${schemaTopic} lacks the schema ${this.#waiting[0]!.id}.`
          throw new MillraceError('LOG_CORRUPT', message)
        }
        await sleep(50)
      }
    } finally {
      await cluster.close()
    }
  }

  /** Writes the schemas that nobody has written yet. */
  async publish(schemas: readonly Schema[]): Promise<void> {
    const fresh = schemas.filter((schema) => !this.#known.has(schemaId(schema)))
    if (fresh.length === 0) return
    const cluster = new Cluster(this.#access)
    try {
      await ensureTopic(cluster, schemaTopic, this.#policy)
      await this.#refresh(cluster)
    } finally {
      await cluster.close()
    }
    const missing = fresh.filter((schema) => !this.#known.has(schemaId(schema)))
    if (missing.length > 0) await this.#write(missing)
    for (const schema of fresh) this.#known.set(schemaId(schema), schema)
  }

  async #refresh(cluster: Cluster): Promise<void> {
    const span = { topic: schemaTopic, partition: 0, from: this.#read }
    this.#read = await scanPartition(cluster, span, ({ key, value }) => {
      if (key === null || value === null) return
      const columns = JSON.parse(value.toString()) as readonly Column[]
      const id = key.toString()
      if (!this.#known.has(id)) this.#known.set(id, { columns })
    })
  }

  async #write(schemas: readonly Schema[]): Promise<void> {
    const producer = await Producer.open({
      access: this.#access,
      transactionalId: undefined,
      transactionTimeoutMs: 0,
      compression: 'none',
    })
    try {
      for (const schema of schemas) {
        const key = Buffer.from(schemaId(schema))
        const value = Buffer.from(JSON.stringify(schema.columns))
        producer.add(schemaTopic, 0, { key, value, timestamp: Date.now() })
      }
      await producer.commit()
    } finally {
      await producer.close()
    }
  }
}

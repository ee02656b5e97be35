import { z } from 'zod'
import { secret } from '../../core/secret.ts'
import { formatNames } from '../formats/format.ts'
import { compressions } from './compression.ts'
import type { KafkaTopics } from './topic-options.ts'

const broker = z
  .string()
  .regex(/^([\w.-]+|\[[0-9a-f:]+\]):\d{1,5}$/i, 'must be host:port')
  .describe('Address of a broker, such as kafka-1:9092.')

const file = (what: string) => z.string().min(1).optional().describe(`File with ${what}, as PEM.`)

const tls = z.strictObject({
  ca: file('the certificate authority'),
  certificate: file("the client's certificate"),
  key: file("the client's private key"),
  passphrase: secret('Passphrase of the private key.').optional(),
  serverName: z.string().min(1).optional().describe("Name that the brokers' certificates bear."),
  insecure: z.boolean().default(false).describe('Accept any certificate. For trials only.'),
})

const sasl = z.union([
  z.strictObject({
    mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']).describe('How to sign in.'),
    username: z.string().min(1).describe('User name.'),
    password: secret('Password.'),
  }),
  z.strictObject({
    mechanism: z.literal('OAUTHBEARER').describe('How to sign in.'),
    token: secret('The token; or give `tokenFile`.').optional(),
    tokenFile: file('the token, read anew for every connection').describe('File with the token.'),
  }),
])

const registry = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .describe('Where it is, such as `https://registry:8081`; may hold user and password.'),
  tls: tls.optional().describe('Of an `https` address; the system is trusted by default.'),
  timeoutMs: z.int().min(1_000).default(10_000).describe('How long to wait for an answer.'),
})

/** What stands under `log` where its type is `kafka`. */
export const kafkaOptions = z.strictObject({
  type: z.literal('kafka').describe('Topics on an Apache Kafka cluster.'),
  path: z
    .string()
    .min(1)
    .optional()
    .describe('Directory for local state; ./data/<name> by default.'),
  brokers: z.union([broker, z.array(broker).min(1)]).describe('Brokers to begin with.'),
  clientId: z.string().min(1).optional().describe('Shown by the brokers. Default: the pipeline.'),
  partitions: z.int().min(1).max(10_000).default(1).describe('Partitions of a topic that is made.'),
  replication: z
    .int()
    .min(1)
    .max(32)
    .optional()
    .describe("Replicas of a topic that is made. Default: the cluster's own default."),
  format: z
    .enum(formatNames)
    .default('json')
    .describe('How keys and values are written, where `topics` says nothing else.'),
  registry: registry.optional().describe('The schema registry, for `avro` and `json-schema`.'),
  delivery: z
    .enum(['exactly-once', 'at-least-once'])
    .default('exactly-once')
    .describe('With transactions, or with an idempotent producer only.'),
  compression: z
    .enum(compressions)
    .default('none')
    .describe('How batches of records are compressed.'),
  standbys: z
    .int()
    .min(0)
    .max(100)
    .default(1)
    .describe('Other processes that keep a copy of the state of views, ready to take over.'),
  transactionTimeoutMs: z
    .int()
    .min(30_000)
    .max(900_000)
    .default(60_000)
    .describe('After so long the broker aborts a transaction whose process is gone.'),
  sessionTimeoutMs: z
    .int()
    .min(6_000)
    .max(300_000)
    .default(10_000)
    .describe('After so long without a sign of life a process loses its partitions.'),
  requestTimeoutMs: z
    .int()
    .min(1_000)
    .max(300_000)
    .default(15_000)
    .describe('How long to wait for an answer.'),
  tls: tls.optional().describe('Encrypts the connections; an empty mapping trusts the system.'),
  sasl: sasl.optional().describe('How to sign in.'),
})

export interface KafkaOptions extends z.infer<typeof kafkaOptions> {
  /** What the configuration says of topics by their names. */
  readonly topics?: KafkaTopics
}

export type RegistryOptions = z.infer<typeof registry>
export type TlsOptions = z.infer<typeof tls>
export type SaslOptions = z.infer<typeof sasl>

/** The same, with other paths for the files that it names. */
export function withFiles<T extends z.infer<typeof kafkaOptions>>(
  options: T,
  change: (file: string) => string,
): T {
  const { tls, sasl, registry } = options
  return {
    ...options,
    ...(tls && { tls: withTlsFiles(tls, change) }),
    ...(registry?.tls && { registry: { ...registry, tls: withTlsFiles(registry.tls, change) } }),
    ...(sasl?.mechanism === 'OAUTHBEARER' &&
      sasl.tokenFile !== undefined && { sasl: { ...sasl, tokenFile: change(sasl.tokenFile) } }),
  }
}

function withTlsFiles(tls: TlsOptions, change: (file: string) => string): TlsOptions {
  const changed = (file: string | undefined) => (file === undefined ? undefined : change(file))
  const { ca, certificate, key } = tls
  return { ...tls, ca: changed(ca), certificate: changed(certificate), key: changed(key) }
}

import { z } from 'zod'
import { secret } from '../../core/secret.ts'

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

/** Topics whose names match get this policy; the first pattern that matches counts. */
const policy = z.strictObject({
  topics: z.string().min(1).describe('Pattern of topic names; `*` stands for anything.'),
  partitions: z.int().min(1).max(10_000).optional().describe('Partitions of such a topic.'),
  replication: z.int().min(1).max(32).optional().describe('Replicas of such a topic.'),
  config: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .describe("Kafka's own settings of such a topic, such as `retention.ms`."),
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
  topics: z.array(policy).default([]).describe('Exceptions, by the name of the topic.'),
  delivery: z
    .enum(['exactly-once', 'at-least-once'])
    .default('exactly-once')
    .describe('With transactions, or with an idempotent producer only.'),
  compression: z
    .enum(['none', 'gzip', 'zstd'])
    .default('none')
    .describe('How batches of records are compressed.'),
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

export type KafkaOptions = z.infer<typeof kafkaOptions>
export type TlsOptions = z.infer<typeof tls>
export type SaslOptions = z.infer<typeof sasl>

/** The same, with other paths for the files that it names. */
export function withFiles(options: KafkaOptions, change: (file: string) => string): KafkaOptions {
  const { tls, sasl } = options
  const changed = (file: string | undefined) => (file === undefined ? undefined : change(file))
  return {
    ...options,
    ...(tls && {
      tls: {
        ...tls,
        ca: changed(tls.ca),
        certificate: changed(tls.certificate),
        key: changed(tls.key),
      },
    }),
    ...(sasl?.mechanism === 'OAUTHBEARER' && {
      sasl: { ...sasl, tokenFile: changed(sasl.tokenFile) },
    }),
  }
}

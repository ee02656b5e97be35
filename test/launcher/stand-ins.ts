import { z } from 'zod'
import type { ConnectorPlugin, SinkPlugin } from '../../src/core/plugin.ts'
import { secret } from '../../src/core/secret.ts'
import type { Registry } from '../../src/launcher/config/registry.ts'

/** A connector with every kind of option, which opens nothing. */
const postgresOptions = z.strictObject({
  url: secret('Where the server is.'),
  tables: z.array(z.string().min(1)).min(1).describe('Which tables to read.'),
  'topic.prefix': z
    .string()
    .regex(/^[a-z_]+$/)
    .optional()
    .describe('What its topics begin with.'),
  snapshot: z
    .enum(['initial', 'never', 'always'])
    .default('initial')
    .describe('When to read rows.'),
  batch: z.int().min(1).max(10_000).default(1000).describe('Rows at a time.'),
  waitMs: z.int().positive().default(10).describe('How long to wait.'),
  tls: z.boolean().default(false).describe('Whether to encrypt.'),
})

export const postgres: ConnectorPlugin<unknown> = {
  type: 'postgres',
  options: postgresOptions,
  async *check() {},
  open: (options, { name }) => {
    const { 'topic.prefix': prefix = name, tables } = options as z.infer<typeof postgresOptions>
    return {
      name,
      topics: tables.map((table) => `${prefix}.${table}`),
      status: () => ({ phase: 'streaming', retainedBytes: 0, detail: {} }),
      knows: async () => true,
      async *read() {},
      ack: () => {},
    }
  },
}

const searchOptions = z.strictObject({
  url: z.url().describe('Where the server is.'),
  auth: z
    .union([
      z.strictObject({ user: z.string(), password: secret('The password.') }),
      z.strictObject({ apiKey: secret('The key.') }),
    ])
    .optional(),
  index: z.string().min(1).optional().describe('The index.'),
})

export const search: SinkPlugin<unknown> = {
  type: 'elasticsearch',
  options: searchOptions,
  async *check() {},
  open: () => {
    throw new Error('a stand-in cannot be opened')
  },
}

export const standIns: Registry = { connectors: [postgres], sinks: [search] }

/** So that what looks like a placeholder is none of TypeScript's. */
export const dollar = '$'

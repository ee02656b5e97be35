import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { elasticsearch } from '../../sinks/elasticsearch/index.ts'
import { redis } from '../../sinks/redis/index.ts'
import { sqlite } from '../../sinks/sqlite/index.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { ConnectorPlugin, SinkPlugin } from '../../src/core/plugin.ts'
import type { LogRecord, NewRecord } from '../../src/core/record.ts'
import type { Checkpoint, Outcome } from '../../src/core/sink.ts'
import type { Batch, Position } from '../../src/core/source.ts'
import type { Registry } from '../../src/launcher/config/registry.ts'

const encoder = new TextEncoder()

/** A change of a table, as a connector writes it. */
export function change(topic: string, id: number): NewRecord {
  const value = JSON.stringify({ before: null, after: { id }, source: {}, op: 'c' })
  return {
    topic,
    key: encoder.encode(JSON.stringify({ id })),
    value: encoder.encode(value),
    timestamp: 1_700_000_000_000 + id,
    version: BigInt(id),
    ordinal: 0,
    endsCommit: true,
  }
}

const counterOptions = z.strictObject({
  until: z.int().default(10).describe('How far it counts.'),
  again: z.string().optional().describe('A file: once it is there the first three change.'),
  fails: z.enum(['fatal', 'bug']).optional().describe('How it ends, having counted.'),
})

/** Counts in a topic, a commit for each number, and then waits or fails. */
const counter: ConnectorPlugin<unknown> = {
  type: 'counter',
  options: counterOptions,
  async *check() {},
  open: (options, { name }) => {
    const { until, again, fails } = options as z.infer<typeof counterOptions>
    const topic = `${name}.numbers`
    return {
      name,
      topics: [topic],
      status: () => ({ phase: 'streaming', retainedBytes: 0, detail: {} }),
      knows: async () => true,
      async *read(from, signal) {
        for (let id = Number(from ?? 0) + 1; id <= until; id++) {
          const position = String(id) as Position
          yield { records: [change(topic, id)], position, complete: true }
        }
        if (again !== undefined) yield* changed(topic, until, again, signal)
        if (fails === 'fatal') throw new MillraceError('SLOT_LOST', 'The slot hush-hush is gone.')
        if (fails === 'bug') throw new TypeError('hush-hush is not a function')
        await sleep(1e9, undefined, { signal }).catch(() => {})
      },
      ack: () => {},
    }
  },
}

async function* changed(topic: string, until: number, file: string, signal: AbortSignal) {
  while (!existsSync(file)) await sleep(20, undefined, { signal })
  const key = (id: number) => change(topic, id).key
  const later = { timestamp: 1_700_000_100_000, version: BigInt(until + 1) }
  const records = [
    { ...change(topic, 1), ...later, endsCommit: false },
    { ...change(topic, 2), ...later, ordinal: 1, endsCommit: false },
    { ...change(topic, 3), ...later, key: key(3), value: null, ordinal: 2 },
  ]
  yield { records, position: String(until + 1) as Position, complete: true }
}

const memoryOptions = z.strictObject({
  does: z.enum(['keep', 'hang', 'refuse', 'fail']).default('keep').describe('What it does.'),
  mended: z.string().optional().describe('A file: once it is there nothing is refused.'),
  password: z.string().optional(),
})

/** Everything written to any memory sink, by sink. */
export const written = new Map<string, LogRecord[]>()

/** Keeps records in memory, or does what a sink must not. */
const memory: SinkPlugin<unknown> = {
  type: 'file',
  options: memoryOptions,
  async *check() {},
  open: (options, { name }) => {
    const { does, mended } = options as z.infer<typeof memoryOptions>
    let kept: Checkpoint | undefined
    return {
      resume: async () => kept?.position,
      clear: async () => {
        kept = undefined
        written.delete(name)
      },
      async write({ records }: Batch<LogRecord>): Promise<Outcome[]> {
        if (does === 'hang') await new Promise(() => setInterval(() => {}, 1e9))
        if (does === 'fail') throw new MillraceError('FENCED', 'Another one is here.')
        if (does === 'refuse' && !(mended !== undefined && existsSync(mended)))
          return records.map(() => ({ code: 'no', reason: 'It does not fit.' }))
        written.set(name, [...(written.get(name) ?? []), ...records])
        return records.map(() => 'applied')
      },
      async commit(checkpoint) {
        kept = checkpoint
      },
      close: async () => {},
    }
  },
}

export const pipelineStandIns: Registry = {
  connectors: [counter],
  sinks: [memory, sqlite, redis, elasticsearch],
}

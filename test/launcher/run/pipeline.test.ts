import { type Test, test } from 'tap'
import type { Log } from '../../../src/core/log.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { Config, From } from '../../../src/launcher/config/config.ts'
import { openParts } from '../../../src/launcher/run/parts.ts'
import { type Parts, run } from '../../../src/launcher/run/pipeline.ts'
import { loadViews } from '../../../src/launcher/run/views.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../../src/log/embedded.ts'
import { pipelineStandIns, written } from '../pipeline-stand-ins.ts'

const { connectors, sinks } = pipelineStandIns
const numbers: From = { kind: 'topic', topic: 'c.numbers' }

test('what a connector reads arrives in every sink, in order', async (t) => {
  const { parts } = await open(t, {}, ['one', 'two'])
  await during(parts, () => counted(parts, 20))
  for (const name of ['one', 'two']) {
    const offsets = written.get(name)?.map(({ offset }) => offset)
    t.same(
      offsets,
      Array.from({ length: 10 }, (_, i) => BigInt(i)),
    )
  }
})

test('a sink that keeps documents reads a topic through a table, by the name of the topic', async (t) => {
  const { parts, log } = await open(t, {}, ['table'], 'memory')
  await during(parts, () => counted(parts, 10))
  t.equal(parts.sinks[0]?.topics[0], parts.views && (await tableTopic(log)))
  t.match(written.get('table')?.[0], { topic: parts.sinks[0]?.topics[0], offset: 0n })
})

test('a failure with a name stops its own part, and its meter says why', async (t) => {
  const { parts } = await open(t, { fails: 'fatal' }, ['alone'])
  await during(parts, () => counted(parts, 10))
  t.match(parts.connectors[0]?.meter, { state: 'failed', reason: /^SLOT_LOST: / })
  t.match(parts.sinks[0]?.meter, { state: 'stopped', applied: 10 })
})

test('a failure without a name ends everything at once', async (t) => {
  const { parts } = await open(t, { fails: 'bug' }, ['any'])
  await t.rejects(run(parts, new AbortController().signal), {
    message: 'c met a bug',
    cause: TypeError,
  })
})

test('when all parts have failed there is nothing left to wait for', async (t) => {
  const { parts } = await open(t, { fails: 'fatal' }, ['failing'])
  const failing = { ...parts, sinks: parts.sinks.map((part) => ({ ...part, open: () => broken })) }
  await run(failing, new AbortController().signal)
  t.match(failing.sinks[0]?.meter, { state: 'failed', reason: /is not a file|FENCED/ })
})

test('a sink can be wrapped from outside, as the parts are plain data', async (t) => {
  const { parts } = await open(t, {}, ['wrapped'])
  let batches = 0
  const wrapped = parts.sinks.map((part) => ({
    ...part,
    open: (partition: number) => {
      const sink = part.open(partition)
      const write: typeof sink.write = (batch) => {
        batches++
        return sink.write(batch)
      }
      return { ...sink, write }
    },
  }))
  await during({ ...parts, sinks: wrapped }, () => counted(parts, 10))
  t.ok(batches > 0)
})

test('where partitions move between processes, a sink that was fenced goes on', async (t) => {
  const { parts, log } = await open(t, {}, ['fenced'])
  let commits = 0
  const fenced = parts.sinks.map((part) => ({
    ...part,
    open: (partition: number): Sink<LogRecord> => {
      const sink = part.open(partition)
      const commit: typeof sink.commit = async (checkpoint) => {
        if (commits++ === 0) await broken.resume('')
        await sink.commit(checkpoint)
      }
      return { ...sink, commit }
    },
  }))
  await during({ ...parts, log: moving(log), sinks: fenced }, () => counted(parts, 10))
  t.match(parts.sinks[0]?.meter, { retries: 1, state: 'stopped' })
})

/** As if other processes could have the partitions, too. */
function moving(log: EmbeddedLog): Log {
  const assignments: Log['assignments'] = async function* (topics, group, signal) {
    for await (const found of log.assignments(topics, group, signal))
      yield { ...found, release: () => {} }
  }
  return {
    ...{ assignments, writer: (name) => log.writer(name), describe: () => log.describe() },
    ...{ deadLetters: (sink) => log.deadLetters(sink), close: () => log.close() },
  }
}

const broken: Sink<LogRecord> = {
  resume: async () => {
    const { MillraceError } = await import('../../../src/core/errors.ts')
    throw new MillraceError('FENCED', 'Another one is here.')
  },
  clear: async () => {},
  write: async () => [],
  commit: async () => {},
  close: async () => {},
}

async function open(
  t: Test,
  counter: Record<string, unknown>,
  names: readonly string[],
  type = 'file',
): Promise<{ parts: Parts; log: EmbeddedLog }> {
  for (const name of names) written.delete(name)
  const plugin = { ...sinks[0]!, type }
  const config: Config = {
    name: 'p',
    log: { type: 'embedded', path: t.testdir({}) },
    connectors: [{ name: 'c', plugin: connectors[0]!, options: { until: 10, ...counter } }],
    views: [],
    sinks: names.map((name) => ({ name, plugin, options: { does: 'keep' }, from: [numbers] })),
    topics: ['c.numbers'],
  }
  const log = await openEmbeddedLog({ path: config.log.path })
  t.teardown(() => log.close())
  const views = await loadViews(config)
  if (!views.ok) throw new Error(views.faults[0]?.what)
  return { parts: openParts(config, { log, topology: views.topology, say: () => {} }), log }
}

async function during(parts: Parts, task: () => Promise<void>): Promise<void> {
  const stop = new AbortController()
  const running = run(parts, stop.signal)
  await Promise.race([task(), running])
  stop.abort()
  await running
}

/** Waits until the sinks have counted so many records, all together. */
async function counted({ sinks, connectors }: Parts, records: number): Promise<void> {
  const isDone = () => {
    const sum = sinks.reduce((total, { meter }) => total + meter.records, 0)
    return sum >= records && connectors[0]?.meter.records === 10
  }
  while (!isDone()) await new Promise((resolve) => setImmediate(resolve))
}

async function tableTopic(log: EmbeddedLog): Promise<string | undefined> {
  const { topics } = await log.describe()
  return topics.map(({ topic }) => topic).find((topic) => topic.includes('table'))
}

/*
 * A process that writes numbers to `<prefix>.in` through a writer, and from there through tasks to
 * `<prefix>.out`, under supervision as in a pipeline: `worker.ts BOOTSTRAP PREFIX DIRECTORY`. Says
 * `in <number>` and `out <partition> <number>` after each commit, and the code of each error. The
 * variable DIE_AT names a step of commit at which it kills itself.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Assignment } from '../../../../src/core/log.ts'
import { Meter } from '../../../../src/core/meter.ts'
import { pump } from '../../../../src/core/pump.ts'
import type { LogRecord, NewRecord } from '../../../../src/core/record.ts'
import type { Sink } from '../../../../src/core/sink.ts'
import type { Batch, Position, Source } from '../../../../src/core/source.ts'
import { supervise } from '../../../../src/core/supervise.ts'
import { change } from '../change.ts'
import { openLogIn } from '../open.ts'
import { dieAt } from './steps.ts'

const [bootstrap, prefix, directory] = process.argv.slice(2) as [string, string, string]
if (process.env.DIE_AT) dieAt(process.env.DIE_AT)
const log = openLogIn(directory, bootstrap, prefix, { partitions: 3, sessionTimeoutMs: 6_000 })
const stopWriting = new AbortController()
const stop = new AbortController()
process.once('SIGTERM', () => {
  stopWriting.abort()
  setTimeout(() => stop.abort(), 5_000) // What was written is forwarded first.
})

/** About 2,000 records a second. */
const batchRecords = 250
const batchEveryMs = 100
const padding = 'x'.repeat(300)
/** With so much a batch goes out before it is committed. */
const largePadding = 'x'.repeat(20_000)
let hold: PromiseWithResolvers<void> | undefined
let holds = 0
process.on('SIGUSR2', () => {
  hold?.resolve()
  hold = hold === undefined ? Promise.withResolvers() : undefined
})
const counter = Buffer.from('count')

const numbers: Source<NewRecord> = {
  name: 'numbers',
  knows: async () => true,
  async *read(from, signal): AsyncGenerator<Batch<NewRecord>> {
    let next = from === undefined ? 0 : Number(from)
    while (!signal.aborted) {
      const records = Array.from({ length: batchRecords }, (_, i) =>
        change(`${prefix}.in`, next + i, {
          ...{ version: BigInt(next + 1), ordinal: i, endsCommit: false },
          value: Buffer.from(
            JSON.stringify({ n: next + i, padding: hold ? largePadding : padding }),
          ),
        }),
      )
      next += batchRecords
      yield { records, position: String(next) as Position, complete: true }
      await sleep(batchEveryMs, undefined, { signal }).catch(() => {})
    }
  },
  ack: (position) => console.log(`in ${position}`),
}

await Promise.all([write(), forward()])
await log.close()

function write(): Promise<void> {
  const meter = new Meter()
  const pipe = {
    source: numbers,
    sink: holding(log.writer(`${prefix}.w`)),
    deadLetters: none,
    meter,
  }
  return supervise((signal) => told('in', pump(pipe, signal)), meter, stopWriting.signal)
}

/** Asked to by SIGUSR2, it says `open` while a transaction is, and leaves it so until the next. */
function holding(sink: Sink<NewRecord>): Sink<NewRecord> {
  return {
    resume: (source) => sink.resume(source),
    clear: (source) => sink.clear(source),
    write: async (batch) => {
      const outcomes = await sink.write(batch)
      const bytes = batch.records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
      if (hold !== undefined && bytes > 4_500_000) {
        console.log(`open ${++holds}`)
        await hold.promise
      }
      return outcomes
    },
    commit: (checkpoint) => sink.commit(checkpoint),
    close: () => sink.close(),
  }
}

async function forward(): Promise<void> {
  const group = `${prefix}.g`
  await supervise(
    async (signal) => {
      const working: Promise<void>[] = []
      for await (const found of log.assignments([`${prefix}.in`], group, signal)) {
        working.push(forwardOne(found).finally(() => found.release?.()))
      }
      await Promise.all(working)
    },
    new Meter(),
    stop.signal,
  )
}

function forwardOne({ partition, source, task, signal }: Assignment): Promise<void> {
  const held = task(`${prefix}.t`)
  const sink: Sink<LogRecord> = {
    resume: (name) => held.resume(name),
    clear: (name) => held.clear(name),
    write: (batch) => {
      const records = batch.records.map((record) => ({ ...record, topic: `${prefix}.out` }))
      const count = Number(Buffer.from(held.store.get(counter) ?? '0').toString())
      held.store.put(counter, Buffer.from(String(count + records.length)))
      return held.write({ ...batch, records })
    },
    commit: async (checkpoint) => {
      await held.commit(checkpoint)
      console.log(`out ${partition} ${Buffer.from(held.store.get(counter)!).toString()}`)
    },
    close: () => held.close(),
  }
  const meter = new Meter()
  const pipe = { source, sink, deadLetters: none, meter }
  const work = (signal: AbortSignal) => told('out', pump(pipe, signal))
  return supervise(work, meter, signal).finally(() => held.close())
}

async function told(what: string, work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    console.log(`error ${what} ${(error as Error).message}`)
    throw error
  }
}

async function none(): Promise<void> {
  throw new Error('nothing is refused')
}

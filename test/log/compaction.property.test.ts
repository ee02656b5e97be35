import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import type { NewRecord } from '../../src/core/record.ts'
import { compact } from '../../src/log/compaction.ts'
import type { EmbeddedLog } from '../../src/log/embedded.ts'
import { Pace } from '../../src/log/pace.ts'
import { Topology } from '../../src/streams/topology.ts'
import { tableView } from '../../src/streams/view.ts'
import { ViewTask } from '../../src/streams/view-task.ts'
import { fold } from '../streams/changes.ts'
import { MemoryTask } from '../streams/memory-task.ts'
import { all, append, openLog } from './logs.ts'

/*
 * Generated histories of a table: rows with holes, key changes, deletes, truncates and sweeps, in
 * commits of several changes, written in transactions of several commits. However they are
 * compacted, a table reads the same from them.
 */

type Step =
  | { readonly do: 'put'; readonly id: number; readonly holes: readonly string[] }
  | { readonly do: 'move'; readonly id: number; readonly to: number; readonly holes: boolean }
  | { readonly do: 'delete'; readonly id: number; readonly tombstone: boolean }
  | { readonly do: 'truncate' }
  | { readonly do: 'sweep'; readonly back: number }

const id = fc.integer({ min: 1, max: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('put' as const),
      id,
      holes: fc.subarray(['big', 'huge']),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('move' as const), id, to: id, holes: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('delete' as const), id, tombstone: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'truncate' } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sweep' as const), back: fc.nat(3) }) },
)
const commit = fc.array(step, { minLength: 1, maxLength: 4 })
const transaction = fc.array(commit, { minLength: 1, maxLength: 3 })
const history = fc.array(transaction, { minLength: 1, maxLength: 12 })

const compaction = fc.record({
  /** After so many transactions. */
  at: fc.nat(12),
  keysAtOnce: fc.integer({ min: 1, max: 5 }),
  blocksAtOnce: fc.integer({ min: 1, max: 4 }),
  /** Whether deletes are forgotten as soon as the rest allows it. */
  forgets: fc.boolean(),
  /** After so many steps the process dies. */
  cut: fc.option(fc.integer({ min: 1, max: 20 })),
})

class DyingPace extends Pace {
  #left: number

  constructor(left: number | null) {
    super()
    this.#left = left ?? Number.POSITIVE_INFINITY
  }

  override async rest(): Promise<void> {
    if (--this.#left === 0) throw new Death()
  }
}

class Death extends Error {}

test('a compacted topic reads as the same table, from the beginning and from the middle', async (t) => {
  let compacted = 0
  let died = 0
  const property = fc.asyncProperty(
    history,
    fc.array(compaction, { minLength: 1, maxLength: 5 }),
    fc.nat(12),
    fc.nat(12),
    async (history, compactions, stop, goOn) => {
      const opened = await openLog()
      let log = opened.log
      const compactBy = async (how: Parameters<typeof compactLog>[1]) => {
        try {
          if (await compactLog(log, how)) compacted++
        } catch (error) {
          if (!(error instanceof Death)) throw error
          died++
          log = await opened.reopen()
        }
      }
      try {
        const encoder = new Encoder()
        const middle = new TableReader()
        const original: NewRecord[] = []
        // A registered reader that never moves keeps deletes alive for the one in the middle.
        for await (const _ of log.assignments(['t'], 'g', AbortSignal.abort())) break
        for (const [i, transaction] of history.entries()) {
          const records = transaction.flatMap((commit) => encoder.commit(commit))
          original.push(...records)
          await append(log, records)
          if (i === stop) await middle.read(log)
          for (const each of compactions.filter(({ at }) => at === i)) {
            await compactBy(each)
          }
          if (i > stop && i === goOn) await middle.read(log)
        }
        const expected = await tableOf(original)
        for (let round = 0; round < 2; round++) {
          const fresh = new TableReader()
          await fresh.read(log)
          deepStrictEqual(fresh.table, expected)
          for (const each of compactions) await compactBy(each)
        }
        await middle.read(log)
        deepStrictEqual(middle.table, expected)
        checkPlaces(await all(log, 't'), original)
      } finally {
        await opened.close()
      }
    },
  )
  await fc.assert(property, { numRuns: Number(process.env.FC_RUNS ?? 150) })
  t.ok(compacted > 50, `${compacted} compactions`)
  t.ok(died > 20, `${died} deaths`)
})

type How = { readonly forgets: boolean; readonly cut: number | null } & Record<
  'keysAtOnce' | 'blocksAtOnce',
  number
>

async function compactLog(log: EmbeddedLog, { forgets, cut, ...sizes }: How): Promise<boolean> {
  const deleteRetentionMs = forgets ? 0 : Number.POSITIVE_INFINITY
  const policy = { deleteRetentionMs, minCompactionLagMs: 0 }
  return compact(log, log.lanes.get('t')!, { policy, pace: new DyingPace(cut), ...sizes })
}

/** Order, and the marks at the ends of commits, are as readers expect them. */
function checkPlaces(records: Awaited<ReturnType<typeof all>>, original: readonly NewRecord[]) {
  let last = -1n
  for (const [i, { offset, sequence, endsCommit, version }] of records.entries()) {
    if (offset <= last) throw new Error(`offset ${offset} comes after ${last}`)
    last = offset
    if (version !== original[Number(offset)]!.version)
      throw new Error(`${offset} is another record`)
    const isLast = records[i + 1]?.sequence !== sequence
    if (isLast !== endsCommit) throw new Error(`the commit ${sequence} is not marked at its end`)
  }
}

async function tableOf(records: readonly NewRecord[]): Promise<unknown> {
  const { log, close } = await openLog()
  await append(log, records)
  const reader = new TableReader()
  await reader.read(log)
  await close()
  return reader.table
}

/** Keeps a topic as a table, as a running pipeline does. */
class TableReader {
  readonly #task = new MemoryTask()
  #read = false

  async read(log: EmbeddedLog): Promise<void> {
    const topology = new Topology('p', { table: tableView('t') })
    const view = new ViewTask({ topology, task: this.#task, release: '1' })
    const from = await view.resume('test')
    const end = log.lanes.get('t')!.end
    const source = log.reader(['t'], 'nobody')
    const at = Number(String(from ?? '0:0:0').split(':')[1])
    if (at >= end) return
    for await (const batch of source.read(from, new AbortController().signal)) {
      await view.write(batch)
      await view.commit({ source: 'test', position: batch.position, timestamp: 0 })
      if (Number(String(batch.position).split(':')[1]) >= end) break
    }
    this.#read = true
  }

  get table(): Record<string, unknown> | undefined {
    if (!this.#read) return undefined
    return Object.fromEntries([...fold(this.#task.records).values()].flatMap((map) => [...map]))
  }
}

/** Writes changes as the Postgres source does. */
class Encoder {
  #version = 100n
  #value = 0

  commit(steps: readonly Step[]): NewRecord[] {
    this.#version += 10n
    const records: Omit<NewRecord, 'ordinal' | 'endsCommit'>[] = []
    for (const step of steps) records.push(...this.#encode(step))
    return records.map((record, ordinal) => ({
      ...record,
      ordinal,
      endsCommit: ordinal === records.length - 1,
    }))
  }

  #encode(step: Step): Omit<NewRecord, 'ordinal' | 'endsCommit'>[] {
    if (step.do === 'truncate') return [this.#record(null, 't', null)]
    if (step.do === 'sweep') {
      const below = String(this.#version - BigInt(step.back) * 10n)
      return [this.#record(null, 't', null, { 'millrace.sweep': below })]
    }
    if (step.do === 'delete') {
      const records = [this.#record(step.id, 'd', null)]
      return step.tombstone ? [...records, this.#tombstone(step.id)] : records
    }
    if (step.do === 'put') return [this.#put(step.id, step.holes)]
    return [
      this.#record(step.id, 'd', null, { '__debezium.newkey': `{"id":${step.to}}` }),
      this.#tombstone(step.id),
      this.#put(step.to, step.holes ? ['big'] : [], { '__debezium.oldkey': `{"id":${step.id}}` }),
    ]
  }

  #put(id: number, holes: readonly string[], headers: Record<string, string> = {}) {
    const n = ++this.#value
    const row: Record<string, unknown> = { id, n, big: `big ${n}`, huge: `huge ${n}` }
    for (const name of holes) delete row[name]
    const unchanged = holes.length === 0 ? {} : { 'millrace.unchanged': JSON.stringify(holes) }
    return this.#record(id, 'u', row, { ...headers, ...unchanged })
  }

  #tombstone(id: number): Omit<NewRecord, 'ordinal' | 'endsCommit'> {
    return { ...this.#record(id, 'd', null), value: null }
  }

  #record(id: number | null, op: string, after: unknown, headers?: Record<string, string>) {
    const has = headers !== undefined && Object.keys(headers).length > 0
    return {
      topic: 't',
      key: id === null ? null : Buffer.from(`{"id":${id}}`),
      value: Buffer.from(JSON.stringify({ before: null, after, source: {}, op })),
      timestamp: Number(this.#version),
      version: this.#version,
      ...(has ? { headers } : {}),
    }
  }
}

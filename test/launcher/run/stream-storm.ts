import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { MillraceError } from '../../../src/core/errors.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Sink } from '../../../src/core/sink.ts'
import type { KafkaLog } from '../../../src/log/kafka/kafka-log.ts'
import { append } from '../../log/kafka/change.ts'
import { directoryOf, openLogIn } from '../../log/kafka/open.ts'
import { type Child, start } from '../child.ts'
import { shopRecord, takeFrom } from './stream-shop.ts'

const program = join(import.meta.dirname, 'stream-program.ts')

export interface StormOptions {
  readonly bootstrap: string
  readonly prefix: string
  readonly partitions: number
  readonly tasks: number
}

/** Instances of the shop that come and go while its topics are written. */
export interface Storm {
  /** Starts an instance, on the directory of its name. */
  start(name: string): void
  kill(name: string): Promise<void>
  /** Removes the directory of an instance that does not run. */
  wipe(name: string): void
  /** Waits until so many more counts have been told. */
  more(counts: number): Promise<void>
  /** Ends the load and the instances, once all is told; says what came of it. */
  end(): Promise<StormResult>
}

export interface StormResult {
  /** Clicks that were written, by page. */
  readonly written: ReadonlyMap<string, number>
  /** Counts that were told, by page, in their order. */
  readonly told: ReadonlyMap<string, readonly number[]>
  /** Names by order: wanted, and told last. */
  readonly names: readonly (readonly [wanted: string, told: string | undefined])[]
  /** The longest time in which nothing was told of a page, in ms. */
  readonly gapMs: number
}

const pages = 40
const orders = 60
const batch = 50

export async function openStorm(t: Test, options: StormOptions): Promise<Storm> {
  const { bootstrap, prefix, partitions, tasks } = options
  const root = directoryOf(t)
  const log = openLogIn(join(root, 'load'), bootstrap, prefix, { partitions })
  const children = new Map<string, Child>()
  t.teardown(() => {
    for (const child of children.values()) child.kill('SIGKILL')
  })
  const stop = new AbortController()
  const load = writeLoad(log, prefix, stop.signal)
  const counts = follow(log, `${prefix}.counts`)
  return {
    start(name) {
      const directory = join(root, name)
      mkdirSync(directory, { recursive: true })
      const args = [bootstrap, prefix, directory, String(partitions), String(tasks)]
      children.set(name, start(program, args))
    },
    async kill(name) {
      const child = children.get(name)!
      children.delete(name)
      child.kill('SIGKILL')
      await child.ended
    },
    async more(wanted) {
      const goal = counts.total() + wanted
      const deadline = Date.now() + 120_000
      while (counts.total() < goal && Date.now() < deadline) await sleep(50)
    },
    wipe: (name) => rmSync(join(root, name), { recursive: true }),
    async end() {
      stop.abort()
      const { written, names } = await load
      const all = [...written.values()].reduce((sum, count) => sum + count, 0)
      const deadline = Date.now() + 90_000
      while (counts.total() < all && Date.now() < deadline) await sleep(100)
      await sleep(3_000) // What is told twice comes, too.
      const last = await lastNames(log, `${prefix}.named`)
      for (const child of children.values()) t.comment(child.output())
      for (const child of children.values()) child.kill('SIGKILL')
      counts.stop()
      await log.close()
      const wanted = [...names].map(([id, name]) => [name, last.get(id)] as const)
      return { written, told: counts.told, names: wanted, gapMs: counts.gapMs() }
    },
  }
}

/** About a thousand clicks a second, and orders whose customers change. */
async function writeLoad(log: KafkaLog, prefix: string, signal: AbortSignal) {
  const written = new Map<string, number>()
  const customers = new Map<number, string>()
  const placed = new Map<number, number>()
  const writer = log.writer(`${prefix}.load`)
  await writer.resume('s')
  let number = 0
  for (let i = 0; !signal.aborted; i++) {
    const records = Array.from({ length: batch }, () => {
      const page = `/${(++number * 7) % pages}`
      written.set(page, (written.get(page) ?? 0) + 1)
      return shopRecord(prefix, 'clicks', [number, number, page])
    })
    customers.set(i % 9, `n${i}`)
    records.push(shopRecord(prefix, 'customers', [++number, i % 9, `n${i}`]))
    placed.set(i % orders, i % 7)
    records.push(shopRecord(prefix, 'orders', [++number, i % orders, i % 7]))
    await appendOnce(writer, records, String(i))
    await sleep(40)
  }
  const names = new Map([...placed].map(([id, customer]) => [id, customers.get(customer)!]))
  return { written, names }
}

/** Whatever fails, the position is the truth. */
async function appendOnce(writer: Sink<NewRecord>, records: readonly NewRecord[], place: string) {
  for (let attempt = 0; ; attempt++) {
    try {
      if (attempt > 0 && (await writer.resume('s')) === place) return
      await append(writer, records, place)
      return
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      await sleep(300)
    }
  }
}

/** Notes what is told, as it comes. */
function follow(log: KafkaLog, topic: string) {
  const told = new Map<string, number[]>()
  const stop = new AbortController()
  let total = 0
  let gapMs = 0
  const run = async () => {
    await takeFrom(log, topic, 1)
    const last = new Map<string, number>()
    for await (const { key, value } of log.tap(topic, 'beginning', stop.signal)) {
      const { key: page } = JSON.parse(Buffer.from(key!).toString()) as { key: string }
      const { after } = JSON.parse(Buffer.from(value!).toString()) as { after: number }
      told.set(page, [...(told.get(page) ?? []), after])
      total++
      const now = Date.now()
      gapMs = Math.max(gapMs, now - (last.get(page) ?? now))
      last.set(page, now)
    }
  }
  void run()
  return { told, total: () => total, gapMs: () => gapMs, stop: () => stop.abort() }
}

/** Of each order, the name that was told with the greatest version. */
async function lastNames(log: KafkaLog, topic: string) {
  const last = new Map<number, { readonly version: bigint; readonly name: string | undefined }>()
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 3_000).unref()
  for await (const { key, value, version } of log.tap(topic, 'beginning', stop.signal)) {
    const { id } = JSON.parse(Buffer.from(key!).toString()) as { id: number }
    const row = value && (JSON.parse(Buffer.from(value).toString()) as { after: { name: string } })
    const before = last.get(id)
    if (before === undefined || before.version <= version) {
      last.set(id, { version, name: row?.after?.name })
    }
  }
  return new Map([...last].map(([id, { name }]) => [id, name]))
}

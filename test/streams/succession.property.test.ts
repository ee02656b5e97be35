import fc from 'fast-check'
import { test } from 'tap'
import type { NewRecord } from '../../src/core/record.ts'
import { State } from '../../src/streams/state.ts'
import { hasCaughtUp, inheritTold } from '../../src/streams/succession.ts'
import { Topology } from '../../src/streams/topology.ts'
import { defineView, type ViewDefinition } from '../../src/streams/view.ts'
import { ViewTask } from '../../src/streams/view-task.ts'
import { fold, insert, remove, run, TestLog } from './changes.ts'
import { MemoryTask } from './memory-task.ts'

interface Order {
  readonly id: number
  readonly ref: number
  readonly n: number
}

type Views = Readonly<Record<string, ViewDefinition>>

/** Three definitions; keys leave and come, documents differ, and one has a view more. */
const generations: readonly Views[] = [
  {
    orders: defineView(({ table }) => table<Order>('orders').filter(({ n }) => n < 3)),
  },
  {
    orders: defineView(({ table }) =>
      table<Order>('orders')
        .leftJoin(table<Order>('customers'), {
          on: ({ ref }) => ref,
          select: (order, customer) => ({ ...order, who: customer?.n ?? null }),
        })
        .filter(({ n }) => n > 0),
    ),
  },
  {
    orders: defineView(({ table }) =>
      table<Order>('orders').mapValues(({ id, n }) => ({ id, twice: n * 2 })),
    ),
    customers: defineView(({ table }) =>
      table<Order>('customers').nest(table<Order>('orders'), {
        on: ({ ref }) => ref,
        as: 'orders',
      }),
    ),
  },
]

const id = fc.integer({ min: 1, max: 8 })
const change = fc.record({
  topic: fc.constantFrom('orders', 'orders', 'customers'),
  id,
  ref: id,
  n: fc.integer({ min: 0, max: 4 }),
  gone: fc.nat(3),
})
type Change = (typeof change extends fc.Arbitrary<infer T> ? T : never) & object
const commits = fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 6 })
/** To which definition it goes over, and what is committed before, beside and after. */
const step = fc.record({ to: fc.nat(2), before: commits, beside: commits })

function append(log: TestLog, changes: readonly (readonly Change[])[]): void {
  for (const commit of changes) {
    log.commit(
      ...commit.map(({ topic, id, ref, n, gone }) => {
        return gone === 0 ? remove(topic, id) : insert(topic, { id, ref, n })
      }),
    )
  }
}

/** A pipeline's views over time: one task tells, another may be filled beside it. */
class Pipeline {
  readonly log = new TestLog()
  readonly told: NewRecord[] = []
  readonly crash: () => void
  #main = new MemoryTask()
  #spare = new MemoryTask()
  #mainDefinition = 0
  #spareDefinition = -1

  constructor(crash: () => void) {
    this.crash = crash
  }

  async readOn(): Promise<void> {
    await this.#work(this.#main, this.#mainDefinition, false)
  }

  async goOverTo(definition: number, beside: readonly (readonly Change[])[]): Promise<void> {
    if (definition === this.#mainDefinition) return
    if (this.#spareDefinition !== definition) this.#spare = new MemoryTask()
    this.#spareDefinition = definition
    await this.#work(this.#spare, definition, true)
    append(this.log, beside)
    await this.readOn()
    await this.#work(this.#spare, definition, true)
    if (!(await this.#takeOver())) return
    ;[this.#main, this.#spare] = [this.#spare, this.#main]
    ;[this.#mainDefinition, this.#spareDefinition] = [definition, this.#mainDefinition]
  }

  get definition(): number {
    return this.#mainDefinition
  }

  async #takeOver(): Promise<boolean> {
    const topology = new Topology('shop', generations[this.#spareDefinition]!)
    const [from, to] = [this.#main, this.#spare]
    const succession = { former: new State(from.store), next: new State(to.store) }
    if (!hasCaughtUp(succession, topology.topics, new Map())) return false
    to.crash = this.crash
    try {
      for (const _ of inheritTold(succession, 2)) {
        await to.commit({ source: 'test', position: to.position!, timestamp: 0 })
      }
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      await to.resume()
      return this.#takeOver()
    }
    to.crash = () => {}
    return true
  }

  /** A crash loses what was not committed, and the task starts again. */
  async #work(task: MemoryTask, definition: number, withholds: boolean): Promise<void> {
    const before = task.transactions.length
    task.crash = this.crash
    for (;;) {
      const topology = new Topology('shop', generations[definition]!)
      const options = { topology, task, release: '1', withholds, partBytes: 200 }
      try {
        await run(new ViewTask(options), this.log, new Set(this.log.records.keys()))
        break
      } catch (error) {
        if (!(error instanceof Crash)) throw error
      }
    }
    task.crash = () => {}
    this.told.push(...task.transactions.slice(before).flatMap(({ records }) => records))
  }
}

class Crash extends Error {}

test('one generation of views follows another without a rebuild being seen', async (t) => {
  let changeovers = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.nat(19)),
      async (steps, dice) => {
        let crashes = 0
        const pipeline = new Pipeline(() => {
          if (crashes < 20 && dice.next().value === 0) throw new Crash(String(++crashes))
        })
        for (const { to, before, beside } of steps) {
          append(pipeline.log, before)
          await pipeline.readOn()
          const from = pipeline.definition
          await pipeline.goOverTo(to, beside)
          if (pipeline.definition !== from) changeovers++
          await pipeline.readOn()
          await compare(pipeline)
        }
      },
    ),
    { numRuns: 60 },
  )
  t.ok(changeovers > 30, `${changeovers} times`)
})

/** As if the definition had never been another; and every record tells of a difference. */
async function compare({ log, told, definition }: Pipeline): Promise<void> {
  const fresh = new MemoryTask()
  const topology = new Topology('shop', generations[definition]!)
  await run(new ViewTask({ topology, task: fresh, release: '1' }), log)
  const [have, want] = [fold(told), fold(fresh.records)]
  for (const { topic } of topology.views) {
    const texts = [have, want].map((each) => {
      return JSON.stringify([...(each.get(topic) ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    })
    if (texts[0] !== texts[1]) throw new Error(`${topic}: ${texts[0]}, not ${texts[1]}`)
  }
  assertTelling(told)
}

function assertTelling(told: readonly NewRecord[]): void {
  const known = new Map<string, string>()
  const versions = new Map<string, bigint>()
  for (const { topic, key, value, version } of told) {
    if (value === null) continue
    const name = `${topic} ${key}`
    const { after } = JSON.parse(String(value)) as { after: unknown }
    const text = JSON.stringify(after)
    if (text === (known.get(name) ?? 'null')) throw new Error(`${name}: told and the same`)
    if (version <= (versions.get(name) ?? -1n)) throw new Error(`${name}: the version fell`)
    known.set(name, text)
    versions.set(name, version)
  }
}

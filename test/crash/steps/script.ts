import type { Connector } from '../../../src/core/plugin.ts'
import type { NewRecord } from '../../../src/core/record.ts'
import { stringifyRow } from '../../../src/core/row.ts'
import type { Batch, Position } from '../../../src/core/source.ts'
import { defineView } from '../../../src/streams/view.ts'
import { changeKey, insert, remove, type TestChange, update } from '../../streams/changes.ts'

const customers = 'db.public.customers'
const orders = 'db.public.orders'
const items = 'db.public.items'

interface Order {
  id: number
  customer: number | null
  status: string
}

interface Item {
  order: number
  line: number
  sku: string
}

/** An order with its customer and its items. */
export const view = defineView(({ table }) =>
  table<Order>(orders)
    .leftJoin(table<{ id: number; name: string }>(customers), {
      on: ({ customer }) => customer,
      select: ({ id, status }, customer) => ({ id, status, customer: customer?.name ?? null }),
    })
    .nest(table<Item>(items), {
      on: ({ order }) => order,
      select: (order, items) => ({ ...order, items: items.map(({ line, sku }) => [line, sku]) }),
    }),
)

const order = (id: number, customer: number | null, status = 'new') => ({ id, customer, status })
const itemKey = (order: number, line: number) => ({ order, line })
const addItem = (order: number, line: number, sku: string) =>
  insert(items, { order, line, sku }, itemKey(order, line))
const removeItem = (order: number, line: number): TestChange => ({
  ...{ topic: items, op: 'd', key: itemKey(order, line) },
})
const many = Array.from({ length: 24 }, (_, i) => 30 + i)

/** Part of a commit, or all of it. */
interface Part {
  readonly changes: readonly TestChange[]
  readonly complete: boolean
}

const whole = (...changes: readonly TestChange[]): Part => ({ changes, complete: true })
const part = (...changes: readonly TestChange[]): Part => ({ changes, complete: false })

/**
 * What the source reads, batch by batch; each batch one or several commits, or a part of one.
 *
 * Only the first commit of a batch changes several documents. As the views tell each document but a
 * commit's last in a transaction of its own, readers see either nothing of a batch or all of it.
 */
const script: readonly (readonly Part[])[] = [
  [
    whole(
      insert(customers, { id: 1, name: 'Ada' }),
      insert(customers, { id: 2, name: 'Grace' }),
      insert(orders, order(10, 1)),
      insert(orders, order(11, 2)),
      insert(orders, order(12, null)),
      ...[addItem(10, 1, 'lamp'), addItem(10, 2, 'chair'), addItem(11, 1, 'radio')],
    ),
  ],
  // A key changes, and with it the key of a row that points at it; then two more commits.
  [
    whole(
      ...changeKey(orders, 11, order(21, 2, 'paid')),
      ...[removeItem(11, 1), addItem(21, 1, 'radio')],
    ),
    whole(update(customers, { id: 1, name: 'Ada Byron' })),
    whole(insert(orders, order(13, 1)), addItem(13, 1, 'scarf')),
  ],
  // One commit in three batches, whose documents take several transactions to tell.
  [
    part(
      update(customers, { id: 1, name: 'Ada Lovelace' }),
      ...many.map((id) => insert(orders, order(id, 1))),
    ),
  ],
  [part(...many.map((id) => addItem(id, 1, 'teapot')))],
  [
    whole(...many.slice(12).map((id) => remove(orders, id))),
    whole(remove(orders, 12)),
    whole(remove(customers, 2)),
  ],
  // A deleted order is there again; another changes, and changes back; a third goes.
  [
    whole(insert(orders, order(12, 1, 'paid'))),
    whole(update(orders, order(13, 2)), update(orders, order(13, 1))),
    whole(removeItem(10, 1), removeItem(10, 2), remove(orders, 10)),
  ],
]

/** The documents at the end, by id. */
export const expected: Readonly<Record<string, unknown>> = {
  12: { id: 12, status: 'paid', customer: 'Ada Lovelace', items: [] },
  13: { id: 13, status: 'new', customer: 'Ada Lovelace', items: [[1, 'scarf']] },
  21: { id: 21, status: 'paid', customer: null, items: [[1, 'radio']] },
  ...Object.fromEntries(
    many.slice(0, 12).map((id) => {
      return [id, { id, status: 'new', customer: 'Ada Lovelace', items: [[1, 'teapot']] }]
    }),
  ),
}

export const batches: readonly Batch<NewRecord>[] = makeBatches()

/**
 * Reads the script, waiting before each batch until `ready`. It forgets what is acknowledged, and
 * what was not durable then is a fault of the program.
 */
export class ScriptedSource implements Connector {
  readonly name = 'db'
  readonly topics = [customers, orders, items]
  readonly faults: string[] = []
  readonly #ready: (batches: number) => Promise<void>
  readonly #durable: () => Position | undefined
  #acknowledged = 0

  constructor(ready: (batches: number) => Promise<void>, durable: () => Position | undefined) {
    this.#ready = ready
    this.#durable = durable
  }

  status() {
    return { phase: 'streaming', retainedBytes: 0, detail: {} } as const
  }

  async knows(): Promise<boolean> {
    return true
  }

  async *read(from: Position | undefined, signal: AbortSignal): AsyncGenerator<Batch<NewRecord>> {
    const start = Number(from ?? 0)
    if (start < this.#acknowledged) this.faults.push(`${start} was acknowledged, and is read again`)
    for (let i = start; i < batches.length && !signal.aborted; i++) {
      await Promise.race([this.#ready(i), aborted(signal)])
      if (!signal.aborted) yield batches[i]!
    }
    await aborted(signal)
  }

  ack(position: Position): void {
    if (Number(position) > Number(this.#durable() ?? 0)) {
      this.faults.push(`${position} is acknowledged before it is durable`)
    }
    this.#acknowledged = Math.max(this.#acknowledged, Number(position))
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function makeBatches(): Batch<NewRecord>[] {
  let version = 1_000n
  let ordinal = 0
  return script.map((parts, i) => {
    const records: NewRecord[] = []
    for (const { changes, complete } of parts) {
      const commit: NewRecord[] = []
      for (const change of changes) {
        for (const value of valuesOf(change)) {
          commit.push(toRecord(change, value, { version, ordinal: ordinal++ }))
        }
      }
      records.push(...(complete ? withEnds(commit) : commit))
      if (!complete) continue
      version += 10n
      ordinal = 0
    }
    const { complete } = parts.at(-1)!
    return { records, position: String(i + 1) as Position, complete }
  })
}

/** A delete is followed by its tombstone. */
function valuesOf({ op, row }: TestChange): readonly (Buffer | null)[] {
  const envelope = { before: null, after: row ?? null, source: {}, op, ts_ms: 1 }
  const value = Buffer.from(stringifyRow(envelope))
  return op === 'd' ? [value, null] : [value]
}

function toRecord(
  { topic, key, headers }: TestChange,
  value: Buffer | null,
  place: { readonly version: bigint; readonly ordinal: number },
): NewRecord {
  return {
    topic,
    key: key && Buffer.from(stringifyRow(key)),
    value,
    timestamp: 1_700_000_000_000 + Number(place.version),
    ...place,
    endsCommit: false,
    ...(headers && { headers }),
  }
}

function withEnds(records: readonly NewRecord[]): NewRecord[] {
  return records.map((record, i) => {
    const isLast = !records.slice(i + 1).some(({ topic }) => topic === record.topic)
    return isLast ? { ...record, endsCommit: true } : record
  })
}

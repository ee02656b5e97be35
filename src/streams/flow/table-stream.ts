import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from '../stores/ordered-space.ts'
import { decodeValue, encodeKey, encodeValue } from '../stores/value-codec.ts'
import type {
  FlowContext,
  FlowRecord,
  Gathering,
  StreamFlow,
  TableFlow,
  TableUpdate,
} from './flow.ts'
import { Outlet } from './outlet.ts'

type Tell = (update: Pick<TableUpdate, 'key' | 'after' | 'timestamp'>) => void

/** A table's updates as a stream; a delete is a null value. */
export function streamOfTable(parent: TableFlow, context: FlowContext): StreamFlow {
  const records = new Outlet<FlowRecord>()
  const tell: Tell = ({ key, after, timestamp }) => {
    records.forward({ key, value: after, timestamp })
  }
  if (context.isNet) context.atCommit(new NetEffect(parent, context.space('changed'), tell))
  else parent.updates.connect(tell)
  return { kind: 'stream', records }
}

/** So many updates are told in a row. */
const toldAtOnce = 500

/** Of each key at most one update a commit, and none if the row is what it was. */
class NetEffect implements Gathering {
  readonly #parent: TableFlow
  readonly #tell: Tell
  /** Within a transaction only. */
  readonly #changed = new Map<string, TableUpdate>()
  /** Of a commit that takes several: `[row before, timestamp, key]` by the key's text. */
  readonly #spilled: OrderedSpace
  #hasSpilled = true

  constructor(parent: TableFlow, spilled: OrderedSpace, tell: Tell) {
    this.#parent = parent
    this.#spilled = spilled
    this.#tell = tell
    parent.knowsBefore(true)
    parent.updates.connect((update) => {
      if (!update.isLatest) return
      const keyText = encodeKey(update.key)
      const known = this.#changed.get(keyText)
      if (known === undefined) this.#changed.set(keyText, update)
      else this.#changed.set(keyText, { ...update, before: known.before })
    })
  }

  *flush(): Generator<void> {
    if (this.#hasSpilled) this.spill()
    // What is left may be spilled at any step.
    while (this.#hasSpilled || this.#changed.size > 0) {
      yield* this.#hasSpilled ? this.#flushSpilled() : this.#flushChanged()
    }
  }

  spill(): void {
    for (const [keyText, { key, before, timestamp }] of this.#changed) {
      const known = this.#hasSpilled ? this.#spilled.get([keyText]) : undefined
      const first = known === undefined ? before : (decodeValue(known) as Spilled)[0]
      this.#spilled.put([keyText], encodeValue([first, timestamp, key]))
    }
    this.#hasSpilled ||= this.#changed.size > 0
    this.#changed.clear()
  }

  *#flushChanged(): Generator<void> {
    let count = 0
    for (const [keyText, update] of this.#changed) {
      if (count > 0 && count % toldAtOnce === 0) yield
      count++
      this.#changed.delete(keyText)
      if (hasChanged(update)) this.#tell(update)
    }
  }

  *#flushSpilled(): Generator<void> {
    let count = 0
    for (const [parts, text] of this.#spilled.scan([])) {
      if (count > 0 && count % toldAtOnce === 0) yield
      count++
      this.#spilled.delete(parts)
      const [before, timestamp, key] = decodeValue(text) as Spilled
      const after = this.#parent.get(key)?.value ?? null
      if (hasChanged({ before, after })) this.#tell({ key, after, timestamp })
    }
    this.#hasSpilled = false
  }
}

type Spilled = readonly [before: Json, timestamp: number, key: Json]

function hasChanged({ before, after }: Pick<TableUpdate, 'before' | 'after'>): boolean {
  if (before === null || after === null) return before !== after
  return before !== after && encodeValue(before) !== encodeValue(after)
}

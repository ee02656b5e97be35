import { MillraceError } from '../../core/errors.ts'
import type { Json } from '../../core/json.ts'
import type { OrderedSpace } from '../stores/ordered-space.ts'
import { StreamTime } from '../stores/stream-time.ts'
import { timeOf, timeText } from '../stores/time-text.ts'
import { decodeKey, decodeValue, encodeKey, encodeValue } from '../stores/value-codec.ts'
import { failure } from '../user-function.ts'
import type { Clock, FlowContext, FlowRecord, StreamFlow, Timed } from './flow.ts'
import { Outlet } from './outlet.ts'

/** A timer that has come due. */
export interface DueTimer {
  readonly name: Json
  /** The time that it was set to. */
  readonly at: number
  readonly clock: Clock
}

/** A store of a processor's own. A null value deletes. */
export interface ProcessorStore {
  get(key: Json): Json
  put(key: Json, value: Json): void
  delete(key: Json): void
  /** In the order of the keys' JSON texts. */
  entries(): Iterable<readonly [key: Json, value: Json]>
}

/** What a processor may do while it works. */
export interface Processing {
  forward(record: { readonly key: Json; readonly value: Json; readonly timestamp?: number }): void
  store(name: string): ProcessorStore
  /** One timer a name and clock: to set it again moves it. */
  setTimer(name: Json, at: number, clock?: Clock): void
  cancelTimer(name: Json, clock?: Clock): void
  /** The time of the record or timer that is being worked on. */
  readonly time: number
  /** The highest time of a record or tick so far. */
  readonly streamTime: number
}

export interface ProcessorCode {
  readonly process: (record: FlowRecord, processing: Processing) => void
  readonly onTimer?: ((timer: DueTimer, processing: Processing) => void) | undefined
}

/** A stream as the user's own code makes it of another, with stores and timers. */
export function processStream(
  parent: StreamFlow,
  context: FlowContext,
  code: ProcessorCode,
  stores: readonly string[],
): StreamFlow {
  const work = new Work(context, code, stores)
  parent.records.connect((record) => work.process(record))
  return { kind: 'stream', records: work.records }
}

class Work implements Processing {
  readonly records = new Outlet<FlowRecord>()
  readonly #context: FlowContext
  readonly #code: ProcessorCode
  readonly #stores = new Map<string, ProcessorStore>()
  readonly #streamTime: StreamTime
  readonly #timers: Readonly<Record<Clock, Timers>>
  time = 0

  constructor(context: FlowContext, code: ProcessorCode, stores: readonly string[]) {
    this.#context = context
    this.#code = code
    this.#streamTime = new StreamTime(context.space('time'))
    for (const name of stores) this.#stores.set(name, openStore(context, name))
    const run = (timer: DueTimer) => this.#fire(timer)
    const stream = new Timers(context, 'stream', run)
    this.#timers = { stream, wall: new Timers(context, 'wall', run) }
    context.timed(this.#timers.wall)
    context.timed({
      clock: 'stream',
      due: () => stream.due(),
      advance: (time) => stream.advance(this.#streamTime.observe(time)),
    })
  }

  get streamTime(): number {
    return this.#streamTime.now
  }

  process(record: FlowRecord): void {
    const now = this.#streamTime.observe(record.timestamp)
    this.time = record.timestamp
    this.#call(record.key, () => this.#code.process(record, this))
    this.#timers.stream.advance(now)
  }

  // The user's code takes these out of the object.
  readonly forward: Processing['forward'] = ({ key, value, timestamp = this.time }) => {
    this.records.forward({ key: key ?? null, value: value ?? null, timestamp })
  }

  readonly store: Processing['store'] = (name) => {
    const store = this.#stores.get(name)
    if (store !== undefined) return store
    const known = [...this.#stores.keys()].join(', ')
    throw new Error(`the processor names no store ${name}; it names: ${known}`)
  }

  readonly setTimer: Processing['setTimer'] = (name, at, clock = 'stream') => {
    this.#timers[clock].set(name, at)
  }

  readonly cancelTimer: Processing['cancelTimer'] = (name, clock = 'stream') => {
    this.#timers[clock].cancel(name)
  }

  #fire(timer: DueTimer): void {
    this.time = timer.at
    this.#call(timer.name, () => this.#code.onTimer?.(timer, this))
  }

  /** What is thrown by an operator further down has its own place already. */
  #call(key: Json, work: () => void): void {
    try {
      work()
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause
      const { place } = this.#context
      const error = failure(place, encodeKey(key), cause)
      throw place.skip?.(error) ?? error
    }
  }
}

/** Timers by time, then name; each is found by its name, too. */
class Timers implements Timed {
  readonly clock: Clock
  readonly #byTime: OrderedSpace
  readonly #byName: OrderedSpace
  readonly #run: (timer: DueTimer) => void

  constructor(context: FlowContext, clock: Clock, run: (timer: DueTimer) => void) {
    this.clock = clock
    this.#byTime = context.space(`${clock} timers`)
    this.#byName = context.space(`${clock} timers by name`)
    this.#run = run
  }

  set(name: Json, at: number): void {
    this.cancel(name)
    const nameText = encodeKey(name)
    this.#byTime.put([timeText(at), nameText], '')
    this.#byName.put([nameText], timeText(at))
  }

  cancel(name: Json): void {
    const nameText = encodeKey(name)
    const known = this.#byName.get([nameText])
    if (known === undefined) return
    this.#byTime.delete([known, nameText])
    this.#byName.delete([nameText])
  }

  due(): number | undefined {
    for (const [[at]] of this.#byTime.scan([])) return timeOf(at!)
    return undefined
  }

  /** A timer that is set to a time that has passed already comes due at the next step of time. */
  advance(time: number): void {
    const due: DueTimer[] = []
    for (const [[at, nameText]] of this.#byTime.scan([])) {
      if (timeOf(at!) > time) break
      due.push({ name: decodeKey(nameText!), at: timeOf(at!), clock: this.clock })
    }
    for (const timer of due) this.cancel(timer.name)
    for (const timer of due) this.#run(timer)
  }
}

function openStore(context: FlowContext, name: string): ProcessorStore {
  const space = context.space(`store ${name}`)
  const get = (key: Json) => {
    const text = space.get([encodeKey(key)])
    return text === undefined ? null : decodeValue(text)
  }
  const entries = function* () {
    for (const [[key], text] of space.scan([])) yield [decodeKey(key!), decodeValue(text)] as const
  }
  context.readable(
    {
      get,
      *entries() {
        for (const [key, value] of entries()) yield { key, value }
      },
    },
    name,
  )
  return {
    get,
    put: (key, value) => {
      if ((value ?? null) === null) space.delete([encodeKey(key)])
      else space.put([encodeKey(key)], encodeValue(value))
    },
    delete: (key) => space.delete([encodeKey(key)]),
    entries,
  }
}

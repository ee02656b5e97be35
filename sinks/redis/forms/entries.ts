import type { LogRecord } from '../../../src/core/record.ts'
import type { Outcome } from '../../../src/core/sink.ts'
import { type Call, Calls } from '../calls.ts'
import { stampKey } from '../keys.ts'
import type { RowTemplate } from '../row-template.ts'
import { script, stampFunctions } from '../scripts.ts'
import { stampOf } from '../stamp.ts'
import { lettersOf, outcomeOf } from './answer.ts'
import { type Change, changeOf, rowsOf, textOf } from './change.ts'
import { bufferOf } from './documents.ts'
import type { Form, Session } from './form.ts'

export interface EntryOptions {
  /** The stream's key, or the channel. */
  readonly place: RowTemplate
  /** How many entries a stream keeps, about; 0: all. Not for channels. */
  readonly maxLength: number
  readonly batchKeys: number
}

/**
 * Appends every change to a stream, in order. An entry's id is made of version and ordinal, and a
 * stream takes no id that is not above its last: so a change that is told again is not doubled.
 */
export class StreamEntries implements Form {
  readonly keeps = true
  readonly layout: string
  readonly prefixes: readonly string[]
  readonly #options: EntryOptions

  constructor(options: EntryOptions) {
    this.#options = options
    this.layout = `stream ${options.place.template}`
    this.prefixes = [options.place.prefix]
  }

  async write(records: readonly LogRecord[], session: Session): Promise<readonly Outcome[]> {
    const { place, maxLength, batchKeys } = this.#options
    const { writer, slotOf } = session
    const calls = new Calls<number>({ head: [String(maxLength)], batchKeys, slotOf })
    const outcomes = records.map((record, index): Outcome => {
      const entry = entryOf(record, place)
      if (!('to' in entry)) return entry.outcome
      const { version, ordinal } = record
      const call = calls.at(entry.to)
      call.items.push(index)
      call.keys.push(entry.to, stampKey(entry.to))
      const stamp = stampOf({ version, ordinal, key: entry.change.key }, false, writer)
      call.args.push(stamp, `${version}-${ordinal}`, ...fieldsOf(record, entry.change))
      call.bytes += record.value?.length ?? 0
      return 'applied'
    })
    // One after the other, as an entry that came late would be taken for one told again.
    for (const call of calls.all) await this.#send(call, session, outcomes)
    return outcomes
  }

  async #send({ items, keys, args }: Call<number>, session: Session, outcomes: Outcome[]) {
    const letters = lettersOf(await session.run(appendScript, keys, args), items.length)
    for (const [i, index] of items.entries()) {
      outcomes[index] = outcomeOf(letters[i]!, keys[i * 2]!, keys[i * 2 + 1]!)
    }
  }
}

/**
 * Tells every change to whoever listens on a channel at that moment. What was committed before the
 * sink first ran is history, and nobody is told.
 */
export class Publication implements Form {
  readonly keeps = false
  readonly layout: string
  readonly prefixes = []
  readonly #options: EntryOptions

  constructor(options: EntryOptions) {
    this.#options = options
    this.layout = `publish ${options.place.template}`
  }

  async write(records: readonly LogRecord[], session: Session): Promise<readonly Outcome[]> {
    const { place, batchKeys } = this.#options
    const slotOf = () => 0 // A cluster tells every node, wherever it is said.
    const calls = new Calls<string>({ head: [], batchKeys, slotOf })
    const outcomes = records.map((record): Outcome => {
      if (record.timestamp < session.since) return 'filtered'
      const entry = entryOf(record, place)
      if (!('to' in entry)) return entry.outcome
      const call = calls.at(entry.to)
      call.items.push(entry.to)
      call.args.push(entry.to, messageOf(record, entry.change))
      return 'applied'
    })
    for (const { args } of calls.all) await session.run(publishScript, [], args)
    return outcomes
  }
}

type Entry = { readonly to: string; readonly change: Change } | { readonly outcome: Outcome }

/** Where a change is told: by its new row, or by the old one of a delete. */
export function entryOf(record: LogRecord, place: RowTemplate): Entry {
  const change = changeOf(record)
  if (typeof change === 'string' || 'code' in change) return { outcome: change }
  const to = textOf(place, rowsOf(change).at(-1)!)
  if (to === null) return { outcome: 'filtered' }
  return typeof to === 'string' ? { to, change } : { outcome: to }
}

/** Five fields; a row that there is not is empty. */
export function fieldsOf({ timestamp }: LogRecord, { op, key, before, after }: Change): Buffer[] {
  const empty = Buffer.alloc(0)
  return [
    Buffer.from(op),
    Buffer.from(String(timestamp)),
    ...[key, before ?? empty, after ?? empty].map(bufferOf),
  ]
}

function messageOf({ version, ordinal, timestamp }: LogRecord, change: Change): Buffer {
  const { op, key, before, after } = change
  return Buffer.concat([
    Buffer.from(`{"op":"${op}","version":"${version}","ordinal":${ordinal},"ts_ms":${timestamp}`),
    Buffer.from(',"key":'),
    key,
    Buffer.from(',"before":'),
    before ?? Buffer.from('null'),
    Buffer.from(',"after":'),
    after ?? Buffer.from('null'),
    Buffer.from('}'),
  ])
}

// KEYS: for each entry the stream's key and its stamp's. ARGV: maxLength or 0; then for each entry
// its stamp, its id, and the values of five fields. A stream whose last id is above ours without
// our stamp saying so holds entries of others.
const appendScript = script(`${stampFunctions}
local most = ARGV[1]
local answers, at = {}, 2
for i = 1, #KEYS, 2 do
  local key, mark, stamp = KEYS[i], KEYS[i + 1], ARGV[at]
  local held = read(mark)
  local found = redis.call('TYPE', key).ok
  local answer = '1'
  if held == nil then answer = 'S'
  elseif found ~= 'none' and found ~= 'stream' then answer = 'T'
  elseif held and string.sub(stamp, 1, 30) <= string.sub(held, 1, 30) then answer = '0'
  else
    local fields = {'op', ARGV[at + 2], 'ts_ms', ARGV[at + 3], 'key', ARGV[at + 4],
      'before', ARGV[at + 5], 'after', ARGV[at + 6]}
    local added
    if most == '0' then added = redis.pcall('XADD', key, ARGV[at + 1], unpack(fields))
    else added = redis.pcall('XADD', key, 'MAXLEN', '~', most, ARGV[at + 1], unpack(fields)) end
    if type(added) == 'table' and added.err then
      if not string.find(added.err, 'equal or smaller', 1, true) then error(added) end
      answer = 'T'
    else
      redis.call('SET', mark, stamp)
    end
  end
  answers[#answers + 1] = answer
  at = at + 7
end
return table.concat(answers)`)

const publishScript = script(`
for i = 1, #ARGV, 2 do redis.call('PUBLISH', ARGV[i], ARGV[i + 1]) end
return 1`)

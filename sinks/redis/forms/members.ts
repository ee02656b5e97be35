import { supersedes } from '../../../src/core/fold.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Outcome } from '../../../src/core/sink.ts'
import { Calls } from '../calls.ts'
import { answersOf } from '../in-flight.ts'
import { memberStampKey } from '../keys.ts'
import type { RowTemplate } from '../row-template.ts'
import { script, stampFunctions } from '../scripts.ts'
import { type Stamped, stampOf } from '../stamp.ts'
import { lettersOf, outcomeOf, worst } from './answer.ts'
import { type Change, changeOf } from './change.ts'
import type { Form, Session } from './form.ts'
import { membershipsOf } from './memberships.ts'

export interface MemberOptions {
  readonly kind: 'set' | 'zset'
  /** The set's key, from the row. */
  readonly key: RowTemplate
  /** The member, from the record's key. */
  readonly memberOf: (key: Uint8Array) => string
  /** The field that holds the score. */
  readonly score: string | undefined
  readonly deleteTtlMs: number
  readonly batchKeys: number
  readonly channel: string
}

/**
 * Keeps each row a member of the set that its columns name: a row that goes over to another set
 * leaves the old one. Members have stamps of their own.
 */
export class Members implements Form {
  readonly keeps = true
  readonly layout: string
  readonly prefixes: readonly string[]
  readonly #options: MemberOptions

  constructor(options: MemberOptions) {
    this.#options = options
    this.layout = `${options.kind} ${options.key.template}`
    this.prefixes = [options.key.prefix]
  }

  async write(records: readonly LogRecord[], session: Session): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = []
    const states = new Map<string, State>()
    for (const [index, record] of records.entries()) {
      const change = changeOf(record)
      if (typeof change === 'string' || 'code' in change) outcomes.push(change)
      else outcomes.push(this.#collect(change, { record, index, states }))
    }
    const calls = this.#encode(states.values(), session)
    const answers = await answersOf(calls, ({ keys, args }) => {
      return session.run(memberScripts[this.#options.kind], keys, args)
    })
    for (const [i, { items, keys }] of calls.entries()) {
      const letters = lettersOf(answers[i], items.length)
      for (const [j, { index }] of items.entries()) {
        const outcome = outcomeOf(letters[j]!, keys[j * 2]!, keys[j * 2 + 1]!)
        outcomes[index] = worst(outcomes[index]!, outcome)
      }
    }
    return outcomes
  }

  /** Notes where the row was and where it is. `coalesced` stands until an answer says more. */
  #collect(change: Change, { record, index, states }: At): Outcome {
    const { memberOf } = this.#options
    const memberships = membershipsOf(change, this.#options)
    if ('code' in memberships) return memberships
    const { version, ordinal } = record
    const { key } = change
    const state = { version, ordinal, key, member: memberOf(key), index }
    for (const { set, score } of memberships) put(states, { ...state, set, score })
    return memberships.length === 0 ? 'filtered' : 'coalesced'
  }

  #encode(states: Iterable<State>, { writer, slotOf }: Session) {
    const { deleteTtlMs, batchKeys, channel } = this.#options
    const calls = new Calls<State>({ head: [String(deleteTtlMs), channel], batchKeys, slotOf })
    for (const state of states) {
      const { set, member, score } = state
      const call = calls.at(set)
      call.items.push(state)
      call.keys.push(set, memberStampKey(set, member))
      call.args.push(stampOf(state, score === null, writer), member, score ?? '')
    }
    return calls.all
  }
}

/** Whether a row is in a set: its score, '' in a set without; `null`: it is not. */
interface State extends Stamped {
  readonly set: string
  readonly member: string
  readonly score: string | null
  readonly index: number
}

interface At {
  readonly record: LogRecord
  readonly index: number
  readonly states: Map<string, State>
}

function put(states: Map<string, State>, next: State): void {
  const id = memberStampKey(next.set, next.member)
  const known = states.get(id)
  if (known === undefined || supersedes(heldOf(next), heldOf(known))) states.set(id, next)
}

function heldOf({ version, ordinal, key, score }: State) {
  return { version, ordinal, deleted: score === null, key: Buffer.from(key).toString('latin1') }
}

// KEYS: for each member the set's key and the member's stamp's. ARGV: deleteTtlMs, channel; then
// for each member its stamp, the member and the score.
const loop = `
local grave, channel = ARGV[1], ARGV[2]
local answers, at = {}, 3
for i = 1, #KEYS, 2 do
  local key, mark = KEYS[i], KEYS[i + 1]
  local stamp, member, score = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local held = read(mark)
  local found = redis.call('TYPE', key).ok
  local answer = '1'
  if held == nil then answer = 'S'
  elseif found ~= 'none' and found ~= kind then answer = 'T'
  elseif held and not supersedes(stamp, held) then answer = '0' end
  if answer == '1' then
    if string.sub(stamp, 31, 31) == 'd' then
      redis.call(remove, key, member)
      set(mark, stamp, grave)
    else
      add(key, member, score)
      set(mark, stamp, '0')
    end
    if channel ~= '' then redis.call('PUBLISH', channel, key) end
  end
  answers[#answers + 1] = answer
  at = at + 3
end
return table.concat(answers)`

const memberScripts = {
  set: script(`local kind, remove = 'set', 'SREM'
local function add(key, member) redis.call('SADD', key, member) end${stampFunctions}${loop}`),
  zset: script(`local kind, remove = 'zset', 'ZREM'
local function add(key, member, score) redis.call('ZADD', key, score, member) end
${stampFunctions}${loop}`),
}

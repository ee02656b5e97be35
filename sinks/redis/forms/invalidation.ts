import { companionKey, leaseHead } from '../../../src/core/companion-key.ts'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Outcome, Refusal } from '../../../src/core/sink.ts'
import { Calls } from '../calls.ts'
import { answersOf } from '../in-flight.ts'
import { stampKey } from '../keys.ts'
import type { RowTemplate } from '../row-template.ts'
import { part, script, stampFunctions } from '../scripts.ts'
import { type Stamped, stampOf } from '../stamp.ts'
import { lettersOf, outcomeOf, worst } from './answer.ts'
import { type Change, changeOf, rowsOf, textOf } from './change.ts'
import type { Form, Session } from './form.ts'

export interface InvalidationOptions {
  readonly templates: readonly RowTemplate[]
  /** How long the version of an invalidation is kept. */
  readonly deleteTtlMs: number
  /** How long nobody may fill a key that was invalidated. */
  readonly holdMs: number
  readonly batchKeys: number
  /** Where the keys are told; '' for nowhere. */
  readonly channel: string
}

/**
 * Removes the keys of a cache that a change concerns: those of the old row and of the new one. Of a
 * batch the keys of all changes count, however often a row changed.
 */
export class Invalidation implements Form {
  readonly keeps = true
  readonly layout: string
  readonly prefixes: readonly string[]
  readonly #options: InvalidationOptions

  constructor(options: InvalidationOptions) {
    const { templates } = options
    this.#options = options
    this.layout = JSON.stringify(templates.map(({ template }) => template))
    this.prefixes = templates.map(({ prefix }) => prefix)
  }

  async write(records: readonly LogRecord[], session: Session): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = []
    const byKey = new Map<string, Doomed>()
    for (const [index, record] of records.entries()) {
      outcomes.push(this.#collect(record, index, byKey))
    }
    const calls = this.#encode(byKey, session)
    const answers = await answersOf(calls, ({ keys, args }) => {
      return session.run(invalidateScript, keys, args)
    })
    for (const [i, { items, keys }] of calls.entries()) {
      const letters = lettersOf(answers[i], items.length)
      for (const [j, { indexes }] of items.entries()) {
        const outcome = outcomeOf(letters[j]!, keys[j * 3]!, keys[j * 3 + 1]!)
        for (const index of indexes) outcomes[index] = worst(outcomes[index]!, outcome)
      }
    }
    return outcomes
  }

  /** Returns `filtered` for a change that names no key, and for one that is still to be sent. */
  #collect(record: LogRecord, index: number, byKey: Map<string, Doomed>): Outcome {
    const change = changeOf(record)
    if (typeof change === 'string' || 'code' in change) return change
    const concerned = keysOf(change, this.#options.templates)
    if ('code' in concerned) return concerned
    const { version, ordinal } = record
    for (const key of concerned) {
      const known = byKey.get(key)
      const indexes = known?.indexes ?? []
      indexes.push(index)
      const newest =
        known !== undefined && known.version > version
          ? known
          : { version, ordinal, key: change.key }
      byKey.set(key, { ...newest, indexes })
    }
    return 'filtered'
  }

  #encode(byKey: ReadonlyMap<string, Doomed>, { writer, slotOf }: Session) {
    const { deleteTtlMs, holdMs, batchKeys, channel } = this.#options
    const head = [writer.owner, String(deleteTtlMs), String(holdMs), channel]
    const calls = new Calls<Doomed>({ head, batchKeys, slotOf })
    for (const [key, doomed] of byKey) {
      const call = calls.at(key)
      call.items.push(doomed)
      call.keys.push(key, stampKey(key), companionKey(leaseHead, key))
      call.args.push(stampOf(doomed, true, writer))
    }
    return calls.all
  }
}

/** The keys that a change concerns: those of the old row and of the new one, each once. */
export function keysOf(
  change: Change,
  templates: readonly RowTemplate[],
): readonly string[] | Refusal {
  const keys = new Set<string>()
  for (const row of rowsOf(change)) {
    for (const template of templates) {
      const key = textOf(template, row)
      if (key === null) continue
      if (typeof key !== 'string') return key
      keys.add(key)
    }
  }
  return [...keys]
}

/** A key to remove, with the newest change that asks for it, and the places of all of them. */
interface Doomed extends Stamped {
  readonly indexes: number[]
}

/**
 * Removes keys, and takes every lease to fill them away.
 * KEYS: for each its key, its stamp's and its lease's. ARGV: owner, deleteTtlMs, holdMs, channel;
 * then the stamps. What this sink did before is not done again; what another sink did is, as its
 * versions may count something else. Returns the verdicts.
 */
const invalidateScript = script(`${stampFunctions}
local owner, grave, hold, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local answers = {}
for i = 1, #KEYS, 3 do
  local key, mark, lease, stamp = KEYS[i], KEYS[i + 1], KEYS[i + 2], ARGV[5 + (i - 1) / 3]
  local held = read(mark)
  local ours = held and ${part('held', 'owner')} == owner
  if held and ${part('held', 'state')} == 'u' and not ours then
    answers[#answers + 1] = 'S'
  elseif ours and not supersedes(stamp, held) then
    answers[#answers + 1] = '0'
  else
    redis.call('UNLINK', key)
    if hold == '0' then redis.call('UNLINK', lease)
    else redis.call('SET', lease, '-', 'PX', hold) end
    if not held or ${part('held', 'version')} <= ${part('stamp', 'version')} then
      redis.call('SET', mark, stamp, 'PX', grave)
    end
    if channel ~= '' then redis.call('PUBLISH', channel, key) end
    answers[#answers + 1] = '1'
  end
end
return table.concat(answers)`)

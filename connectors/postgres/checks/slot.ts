import type { Client } from 'pg'
import type { Finding } from '../../../src/core/plugin.ts'
import { quoteLiteral, quoteName } from '../session.ts'
import { lossOf, type SlotState } from '../slot/compare.ts'
import { findSlot } from '../slot/slot.ts'
import { describeBudget, sampleWal, type WalBudget, walBudget } from '../slot/wal-budget.ts'
import { error, ok, warning } from './finding.ts'

export interface SlotWish {
  /** Of the server, as `server_version_num`. */
  readonly version: number
  readonly slot: string
  readonly database: string
  readonly failover: boolean
  readonly adopt: boolean
}

export async function judgeSlot(sql: Client, wish: SlotWish): Promise<readonly Finding[]> {
  const failover = wish.failover ? await judgeFailover(sql, wish) : []
  const found = await findSlot(sql, wish.slot)
  if (found === undefined) return [absent(wish), ...failover]
  const sample = await sampleWal(sql, wish.slot)
  const budget = sample === null ? undefined : walBudget([sample])
  const kept = budget === undefined ? [] : judgeBudget(wish, budget)
  return [...judgeState(wish, found), ...kept, ...failover]
}

function absent({ slot, adopt }: SlotWish): Finding {
  if (!adopt) return ok(`slot ${slot} is made at the first start`)
  const hint = 'Name the slot with slot.name; slot.adopt: true is for one that exists.'
  return error(`there is no slot ${slot} to adopt`, { hint })
}

/** What we read must be on the standby already, or a promotion loses what we have. */
async function judgeFailover(sql: Client, { version }: SlotWish): Promise<readonly Finding[]> {
  if (version < 170_000) return [error('slot.failover needs PostgreSQL 17 or later')]
  const { rows } = await sql.query("SELECT current_setting('synchronized_standby_slots') AS slots")
  if (rows[0].slots !== '') return [ok(`slot.failover waits for ${rows[0].slots}`)]
  const what = 'synchronized_standby_slots is empty: we may read what no standby has yet'
  return [warning(what, { hint: 'Set it to the slots of the standbys that may be promoted.' })]
}

/** What is to be said of a slot that is there. */
export function* judgeState(wish: SlotWish, found: SlotState): Generator<Finding> {
  const { slot, database, failover } = wish
  const drop = { repair: [`SELECT pg_drop_replication_slot(${quoteLiteral(slot)});`] }
  const hint = 'Give the connector another slot.name.'
  if (found.plugin !== 'pgoutput') {
    yield error(`slot ${slot} is of ${found.plugin ?? 'the physical kind'}, not pgoutput`, { hint })
    return
  }
  if (found.database !== database) {
    yield error(`slot ${slot} belongs to the database ${found.database}`, { hint })
    return
  }
  const loss = lossOf(found)
  if (loss !== undefined) {
    const way = 'What it held is gone: take a new snapshot, after dropping it.'
    yield error(`slot ${slot} is invalid: ${loss}`, { ...drop, hint: way })
    return
  }
  yield found.activePid === null
    ? ok(`slot ${slot} is there, and nobody reads it now`)
    : ok(`slot ${slot} is read by server process ${found.activePid}`)
  if (failover && !found.failover) {
    yield warning(`slot ${slot} is not kept on standbys yet: it will be from the next start on`, {
      hint: `On a replication connection: ALTER_REPLICATION_SLOT ${quoteName(slot)} (FAILOVER true)`,
    })
  }
}

function* judgeBudget({ slot }: SlotWish, budget: WalBudget): Generator<Finding> {
  if (budget.status === 'lost') return
  const what = `slot ${slot}: ${describeBudget(budget)}`
  if (budget.level === 'ok') yield ok(what)
  else {
    const hint = 'Start the pipeline soon, or raise max_slot_wal_keep_size.'
    yield budget.level === 'error' ? error(what, { hint }) : warning(what, { hint })
  }
}

import type { Test } from 'tap'
import { usePostgres } from '../../support/servers/use.ts'
import { differences } from './differences.ts'
import { play } from './round.ts'

export interface Campaign {
  readonly seed: number
  /** Each with tables and views of its own. */
  readonly rounds: number
  readonly commits: number
}

/** Compares views with SQL at every commit of every round; `SEED=…` repeats one. */
export async function compareViews(t: Test, { seed, rounds, commits }: Campaign): Promise<void> {
  const { adminUrl } = await usePostgres(t)
  let [compared, told] = [0, 0]
  for (let i = 0; i < rounds; i++) {
    const played = await play(t, { seed: seed + i, commits, adminUrl })
    const found = differences(played.moments, played.told)
    t.same(found, [], `SEED=${seed + i}`)
    if (found.length > 0) t.comment(played.configuration)
    compared += played.moments.size
    for (const records of played.told.views.values()) told += records.length
  }
  t.comment(`${compared} commits, ${told} records of views, from SEED=${seed}`)
  t.ok(told > compared / 2, 'the views had something to tell')
}

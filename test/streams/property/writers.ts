import pg from 'pg'
import { Random } from '../../crash/random.ts'
import type { SqlClient } from '../../support/servers/sql.ts'
import type { TestTable } from './schema.ts'
import { insert, randomStatement } from './statements.ts'
import type { RandomView } from './views.ts'

/** What the views were at a commit: by view, by key, the document; all in canonical form. */
export type Moment = ReadonlyMap<string, ReadonlyMap<string, string>>

export interface Writing {
  readonly url: string
  readonly tables: readonly TestTable[]
  readonly views: readonly RandomView[]
  readonly seed: number
  readonly writers: number
  /** Until there are so many moments. */
  readonly commits: number
  /** By the number of the commit. */
  readonly moments: Map<number, Moment>
  /** Reads what a view is now. */
  readonly ask: (view: RandomView) => Promise<ReadonlyMap<string, string>>
}

/**
 * Lets several connections change the tables at once. What they do overlaps; only their COMMITs
 * come one after the other, and after each the database is asked for all views. Each transaction
 * says its number in the table `commits`.
 */
export async function write(writing: Writing): Promise<void> {
  const turn = new Turn()
  const seeds = Array.from({ length: writing.writers }, (_, i) => writing.seed * 97 + i)
  await Promise.all(seeds.map((seed) => writer(new Random(seed), writing, turn)))
}

/** One commit after the other, each of one statement. */
export async function writeAlone(
  { moments, ...writing }: Pick<Writing, 'moments' | 'views' | 'ask'>,
  client: SqlClient,
  statements: readonly string[],
): Promise<void> {
  for (const statement of statements) {
    const number = moments.size
    await client.query(`begin; ${statement}; insert into commits values (${number}); commit`)
    moments.set(number, await momentOf(writing))
  }
}

/** One at a time, in the order of their asking. */
class Turn {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work)
    this.#last = mine.catch(() => {})
    return mine
  }
}

async function writer(random: Random, writing: Writing, turn: Turn): Promise<void> {
  const { moments } = writing
  const client = new pg.Client({ connectionString: writing.url })
  await client.connect()
  await client.query(`set deadlock_timeout = '20ms'; set synchronous_commit = off`)
  try {
    while (moments.size < writing.commits) {
      if (!(await changes(client, writing, random))) continue
      await turn.take(async () => {
        if (moments.size >= writing.commits) {
          await client.query('rollback')
          return
        }
        const number = moments.size
        if (random.below(25) === 0) await truncate(client, random.pick(writing.tables))
        await client.query(`insert into commits values (${number}); commit`)
        moments.set(number, await momentOf(writing))
      })
    }
  } finally {
    await client.end()
  }
}

/** A transaction up to its COMMIT; `false` if it was rolled back. */
async function changes(client: pg.Client, { tables }: Writing, random: Random): Promise<boolean> {
  await client.query('begin')
  try {
    for (let left = random.between(1, 6); left > 0; left--) {
      if (random.below(8) === 0) {
        await isolated(client, async () => {
          for (let i = 0; i < 3; i++) await client.query(randomStatement(tables, random))
          if (random.below(2) === 0) throw new Error('rolled back to the savepoint')
        })
      } else if (random.below(40) === 0) {
        await client.query(insert(random.pick(tables), random))
      } else {
        await isolated(client, () => client.query(randomStatement(tables, random)))
      }
    }
    if (random.below(12) > 0) return true
  } catch {
    // A constraint, or a writer that waited for this one: the transaction is void.
  }
  await client.query('rollback')
  return false
}

async function isolated(client: pg.Client, work: () => Promise<unknown>): Promise<void> {
  await client.query('savepoint s')
  try {
    await work()
    await client.query('release savepoint s')
  } catch (error) {
    await client.query('rollback to savepoint s')
    if ((error as { code?: string }).code === '40P01') throw error
  }
}

/** Others hold rows while they wait for their turn: then there is none. */
async function truncate(client: pg.Client, { name }: TestTable): Promise<void> {
  await isolated(client, async () => {
    await client.query(`set local lock_timeout = '20ms'`)
    await client.query(`truncate ${name} cascade`)
  })
}

export async function momentOf({ views, ask }: Pick<Writing, 'views' | 'ask'>): Promise<Moment> {
  const moment = new Map<string, ReadonlyMap<string, string>>()
  for (const view of views) moment.set(view.name, await ask(view))
  return moment
}

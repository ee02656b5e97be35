import assert from 'node:assert/strict'
import { join } from 'node:path'
import fc from 'fast-check'
import { Client } from 'pg'
import { test } from 'tap'
import { MillraceError } from '../../../../src/core/errors.ts'
import type { NewRecord } from '../../../../src/core/record.ts'
import type { Position } from '../../../../src/core/source.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { brings, openSource, read, snapshotEnds, told, type Until } from '../reading.ts'

/*
 * Random transactions of several sessions, side by side, with savepoints in savepoints. The server
 * sends them in pieces, on the one hand, and whole, on the other.
 */

const sessions = 3
const names = ['public.shared', 'public.t0', 'public.t1', 'public.t2', 'public.last']

interface Step {
  readonly session: number
  readonly does: string
  readonly id: number
}

const step: fc.Arbitrary<Step> = fc.record({
  session: fc.nat(sessions - 1),
  does: fc.constantFrom(
    ...['insert', 'insert', 'share', 'update', 'move', 'delete', 'say', 'shout', 'alter'],
    ...['savepoint', 'savepoint', 'release', 'back', 'back', 'commit', 'abort'],
  ),
  id: fc.nat(9),
})

/** Keeps count of its savepoints, so that every step makes sense. */
class Session {
  readonly #client: Client
  readonly #number: number
  #savepoints = 0
  #isOpen = false
  #count = 0

  constructor(client: Client, number: number) {
    this.#client = client
    this.#number = number
  }

  async take({ does, id }: Step): Promise<void> {
    if (!this.#isOpen) await this.#client.query('BEGIN')
    this.#isOpen = true
    const sql = this.#sql(does, id)
    if (sql !== undefined) await this.#client.query(sql)
  }

  async end(): Promise<void> {
    if (this.#isOpen) await this.#client.query('COMMIT')
  }

  #sql(does: string, id: number): string | undefined {
    const table = `t${this.#number}`
    const unique = `${this.#number}-${++this.#count}`
    switch (does) {
      case 'insert':
        return `INSERT INTO ${table} VALUES (${id}, '${unique}') ON CONFLICT DO NOTHING`
      case 'share':
        return `INSERT INTO shared VALUES ('${unique}') ON CONFLICT DO NOTHING`
      case 'update':
        return `UPDATE ${table} SET note = '${unique}' WHERE id <= ${id}`
      case 'move':
        return `UPDATE ${table} SET id = id + 100 WHERE id = ${id} AND id < 100
          AND NOT EXISTS (SELECT FROM ${table} other WHERE other.id = ${id} + 100)`
      case 'delete':
        return `DELETE FROM ${table} WHERE id >= ${id}`
      case 'say':
        return `SELECT pg_logical_emit_message(true, 'said', '${unique}')`
      case 'shout':
        return id < 3 ? `TRUNCATE ${table}` : undefined
      case 'alter':
        // Taken back and done again, it is more than the server can decode in pieces.
        return this.#savepoints > 0 || id > 1
          ? undefined
          : `ALTER TABLE ${table} ADD IF NOT EXISTS added_${this.#count} int DEFAULT ${id}`
      default:
        return this.#control(does)
    }
  }

  #control(does: string): string | undefined {
    if (does === 'savepoint') return `SAVEPOINT s${++this.#savepoints}`
    if (does === 'commit' || does === 'abort') {
      this.#isOpen = false
      this.#savepoints = 0
      return does === 'commit' ? 'COMMIT' : 'ROLLBACK'
    }
    if (this.#savepoints === 0) return undefined
    if (does === 'release') return `RELEASE s${this.#savepoints--}`
    return `ROLLBACK TO s${this.#savepoints}`
  }
}

async function play(clients: readonly Client[], steps: readonly Step[]): Promise<void> {
  const running = clients.map((client, number) => new Session(client, number))
  for (const one of steps) await running[one.session]!.take(one)
  for (const session of running) await session.end()
}

/** One way to read, from wherever it has come to. */
class Way {
  readonly #open: () => ReturnType<typeof openSource>
  #position: Position | undefined

  constructor(database: TestDatabase, options: object, directory?: string) {
    const opening = { options, batchBytes: 600, ...(directory && { directory }) }
    this.#open = () => openSource(database, names, opening)
  }

  /** Some transactions come only when they are asked for as a whole: then from where it stood. */
  async readTo(marker: string): Promise<readonly NewRecord[]> {
    const source = this.#open()
    const all: NewRecord[] = []
    const until: Until = ({ batches, records, position }) => {
      all.push(...batches.at(-1)!.records)
      this.#position = position
      return brings(marker)({ batches, records, position })
    }
    for (;;) {
      try {
        await read(source, this.#position, until)
        return all
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'CONNECTION_LOST') throw error
      }
    }
  }

  async begin(from?: Position): Promise<Position> {
    this.#position = from ?? (await read(this.#open(), undefined, snapshotEnds)).position
    return this.#position!
  }
}

test('in pieces or whole, transactions give the same records', async (t) => {
  const database = await usePostgres(t)
  const { query, url, database: name } = database
  await query('CREATE TABLE shared (note text); CREATE TABLE last (note text)')
  await query('ALTER TABLE shared REPLICA IDENTITY FULL; ALTER TABLE last REPLICA IDENTITY FULL')
  for (let i = 0; i < sessions; i++) {
    await query(`CREATE TABLE t${i} (id int PRIMARY KEY, note text)`)
  }
  const [{ version }] = (await query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int AS version",
  )) as [{ version: number }]
  // Older servers send a large transaction in pieces, and these are small.
  if (version >= 170_000) {
    await query(`ALTER DATABASE ${name} SET debug_logical_replication_streaming = immediate`)
  }
  const pieces = new Way(database, {}, join(t.testdir(), 'scratch'))
  const other = { 'slot.name': `${name}_whole`, 'publication.name': name, streaming: 'off' }
  const whole = new Way(database, other)
  const start = await pieces.begin()
  await query('SELECT pg_copy_logical_replication_slot($1, $2)', [name, `${name}_whole`])
  await whole.begin(start)
  const clients = Array.from({ length: sessions }, () => new Client(url))
  await Promise.all(clients.map((client) => client.connect()))
  t.teardown(() => Promise.all(clients.map((client) => client.end())))
  let round = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
      await play(clients, steps)
      const marker = `end of round ${++round}`
      await query('INSERT INTO last VALUES ($1)', [marker])
      const [mine, theirs] = [await pieces.readTo(marker), await whole.readTo(marker)]
      assert.deepEqual(mine.map(told), theirs.map(told))
    }),
    { numRuns: 25, endOnFailure: true },
  )
  const [streamed] = await query<{ count: number }>(
    'SELECT stream_txns::int AS count FROM pg_stat_replication_slots WHERE slot_name = $1',
    [name],
  )
  t.ok(version < 170_000 || streamed!.count > 0)
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import pg from 'pg'
import { type Pgoutput, PgoutputPlugin } from 'pg-logical-replication'
import type { Test } from 'tap'
import type { NewRecord } from '../../../src/core/record.ts'
import type { Position } from '../../../src/core/source.ts'
import {
  createTable,
  type GeneratedTable,
  generatedTable,
  insertRows,
  quoteName,
  rowCount,
  type TableSize,
  updateRows,
} from '../../support/generated-tables.ts'
import { typeDefinitions } from '../../support/generated-types.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'
import {
  type Difference,
  type Format,
  firstDifference,
  formats,
  snapshotChange,
  type Told,
  wantedChanges,
} from './differential-changes.ts'
import { brings, openSource, read, snapshotEnds } from './reading.ts'

/*
 * Generated rows of generated tables, told by our source, by the decoder of the package
 * pg-logical-replication from the same WAL, and by a SELECT. Types and values are the point here.
 */

export interface Size extends TableSize {
  readonly tables: number
  readonly runs: number
  readonly seed: number
}

export interface Compared {
  readonly rows: number
  /** Types that some column had, as SQL. */
  readonly types: ReadonlySet<string>
}

/** Fails with the smallest tables that fast-check finds to tell a difference. */
export async function compareGeneratedTables(t: Test, size: Size): Promise<Compared> {
  const database = await usePostgres(t)
  await database.query(typeDefinitions)
  // What a database says of looks must not reach the records.
  for (const setting of hostileSettings) {
    await database.query(`ALTER DATABASE ${database.database} SET ${setting}`)
  }
  const client = new pg.Client(database.url)
  await client.connect()
  t.teardown(() => client.end())
  await client.query(settings)
  let rows = 0
  let runs = 0
  const types = new Set<string>()
  const tables = fc.array(generatedTable(size), {
    minLength: 1,
    maxLength: size.tables,
    size: 'max',
  })
  const property = fc.asyncProperty(tables, async (plans) => {
    const run = new Comparison({ database, client, plans, name: `run_${++runs}` })
    for (const plan of plans) {
      rows += rowCount(plan)
      for (const { type } of plan.columns) types.add(type.sql)
    }
    try {
      await run.compare()
    } finally {
      await run.clean()
    }
  })
  const details = await fc.check(property, {
    seed: size.seed,
    numRuns: size.runs,
    interruptAfterTimeLimit,
  })
  if (details.failed) throw new Error(describeFailure(details))
  return { rows, types }
}

function describeFailure(details: fc.RunDetails<[GeneratedTable[]]>): string {
  const { counterexample, errorInstance, counterexamplePath, seed } = details
  const sql = (counterexample?.[0] ?? []).flatMap((plan, i) => {
    const table = `table_${i}`
    return [createTable(table, plan), insertRows(table, plan), updateRows(table, plan)]
  })
  const shown = sql.join(';\n').slice(0, 4000)
  return `${errorInstance}\nseed ${seed}, path ${counterexamplePath}\n${shown}`
}

/** Ends the search for a smaller example while there is still time to show the last one, in ms. */
const interruptAfterTimeLimit = 240_000

const hostileSettings = [
  "datestyle = 'German'",
  "intervalstyle = 'sql_standard'",
  "timezone = 'Asia/Kolkata'",
  "bytea_output = 'escape'",
  'extra_float_digits = 0',
]

const settings = `SET datestyle = iso; SET intervalstyle = postgres; SET timezone = 'UTC';
  SET extra_float_digits = 3; SET bytea_output = hex; SET lc_monetary = 'C'`

interface Setting {
  readonly database: TestDatabase
  readonly client: pg.Client
  readonly plans: readonly GeneratedTable[]
  readonly name: string
}

/** One round: tables made, filled, changed and emptied, and all that was told of it compared. */
class Comparison {
  readonly #setting: Setting
  readonly #decoder: PgoutputPlugin

  constructor(setting: Setting) {
    this.#setting = setting
    this.#decoder = new PgoutputPlugin({ protoVersion: 1, publicationNames: [setting.name] })
  }

  async compare(): Promise<void> {
    const { client, plans } = this.#setting
    await client.query(plans.map((plan, i) => createTable(this.#table(i), plan)).join(';\n'))
    await client.query(`CREATE TABLE ${this.#marker} (id int PRIMARY KEY, note text)`)
    const starts = new Map<Format, Position>()
    for (const format of formats) starts.set(format, await this.#begin(format))
    await client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [this.#slot])

    for (const [i, plan] of plans.entries()) await client.query(insertRows(this.#table(i), plan))
    const inserted = await this.#decode()
    await this.#compareWithSelect(inserted)
    for (const format of formats) await this.#compareSnapshot(format, inserted)

    for (const [i, plan] of plans.entries()) {
      await client.query(updateRows(this.#table(i), plan))
      await client.query(`DELETE FROM ${this.#table(i)}`)
    }
    const changed = await this.#decode()
    await client.query(`INSERT INTO ${this.#marker} VALUES (1, 'the end of ${this.#setting.name}')`)
    for (const format of formats) {
      await this.#compareStream(format, starts.get(format)!, [...inserted, ...changed])
    }
  }

  async clean(): Promise<void> {
    const { client, plans, name } = this.#setting
    const tables = plans.map((_, i) => this.#table(i))
    await client.query(`DROP TABLE IF EXISTS ${[...tables, this.#marker].join(', ')}`)
    await client.query(`DROP PUBLICATION IF EXISTS ${quoteName(name)}`)
    await client.query(endReaders, [`${this.#slot}%`])
    await client.query(dropSlots, [`${this.#slot}%`])
  }

  get #slot(): string {
    return `${this.#setting.database.database}_${this.#setting.name}`
  }

  get #marker(): string {
    return `marker_${this.#setting.name}`
  }

  #table(place: number): string {
    return quoteName(this.#tableName(place))
  }

  #tableName(place: number): string {
    return `${this.#setting.name} Tab.le "${place}"`
  }

  #open(format: Format, use: string) {
    const { database, plans, name } = this.#setting
    const tables = [...plans.map((_, i) => this.#tableName(i)), this.#marker]
    const options = {
      ...{ format, 'slot.name': `${this.#slot}_${format}_${use}`, 'publication.name': name },
      'include.unknown.datatypes': true,
    }
    const names = tables.map((table) => `public.${table}`)
    return openSource(database, names, { options })
  }

  async #begin(format: Format): Promise<Position> {
    const { position } = await read(this.#open(format, 'stream'), undefined, snapshotEnds)
    return position!
  }

  /** What the other decoder makes of the WAL since the last time; values as the server's text. */
  async #decode(): Promise<Told[]> {
    const { client, name } = this.#setting
    const { rows } = await client.query(
      `SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL,
         'proto_version', '1', 'publication_names', $2)`,
      [this.#slot, quoteName(name)],
    )
    return rows.flatMap(({ data }) => {
      const message = this.#decoder.parse(data)
      if (message.tag === 'relation') keepText(message)
      return this.#told(message)
    })
  }

  #told(message: Pgoutput.Message): Told[] {
    if (message.tag !== 'insert' && message.tag !== 'update' && message.tag !== 'delete') return []
    const place = this.#setting.plans.findIndex(
      (_, i) => this.#tableName(i) === message.relation.name,
    )
    const plan = this.#setting.plans[place]!
    const after = message.tag === 'delete' ? null : message.new
    if (message.tag === 'insert') return [{ op: 'c', place, plan, key: null, old: null, after }]
    return [
      {
        op: message.tag === 'update' ? 'u' : 'd',
        place,
        plan,
        key: message.key,
        old: message.old,
        after,
      },
    ]
  }

  async #compareWithSelect(inserted: readonly Told[]): Promise<void> {
    const { client, plans } = this.#setting
    for (const [i, plan] of plans.entries()) {
      const names = ['id', ...plan.columns.map(({ name }) => name)]
      const text = `SELECT ${names.map(quoteName).join(', ')} FROM ${this.#table(i)} ORDER BY id`
      const types = { getTypeParser: () => String }
      const { rows } = await client.query({ text, rowMode: 'array', types })
      const told = inserted
        .filter(({ place }) => place === i)
        .map(({ after }) => names.map((name) => after![name]))
      assert.deepEqual(told, rows, 'the other decoder and a SELECT tell the same text')
    }
  }

  async #compareSnapshot(format: Format, inserted: readonly Told[]): Promise<void> {
    const { records } = await read(this.#open(format, 'snapshot'), undefined, snapshotEnds)
    const rows = records.filter(({ topic }) => !topic.endsWith(this.#marker))
    // A table is read as it lies on the disk, which need not be the order of its inserts.
    const ours = sortBy(rows, ({ topic, key }) => `${topic} ${Buffer.from(key!).toString()}`)
    const wanted = sortBy(
      inserted.map((told) => ({ place: told.place, ...snapshotChange(told, format) })),
      ({ place, key }) => `${place} ${key.map(({ label, json }) => label + json[0]).join('')}`,
    )
    report(firstDifference(ours, wanted), `snapshot, format ${format}`)
  }

  async #compareStream(format: Format, from: Position, told: readonly Told[]): Promise<void> {
    const until = brings(`the end of ${this.#setting.name}`)
    const { records } = await read(this.#open(format, 'stream'), from, until)
    const ours = records.filter(
      (record) => !record.topic.endsWith(this.#marker) && !isTombstone(record),
    )
    const wanted = told.flatMap((change) => wantedChanges(change, format))
    report(firstDifference(ours, wanted), `stream, format ${format}`)
  }
}

const endReaders = `SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots
  WHERE slot_name LIKE $1 AND active_pid IS NOT NULL`
const dropSlots = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
  WHERE slot_name LIKE $1`

function sortBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  const keyed = items.map((item) => ({ item, by: key(item) }))
  return keyed.sort((a, b) => (a.by < b.by ? -1 : 1)).map(({ item }) => item)
}

function isTombstone({ value }: NewRecord): boolean {
  return value === null
}

function keepText({ columns }: Pgoutput.MessageRelation): void {
  for (const column of columns) Object.assign(column, { parser: (text: string) => text })
}

function report(difference: Difference | undefined, where: string): void {
  if (difference === undefined) return
  const { column, type, text, ours, wanted } = difference
  throw new Error(
    `${where}: column ${JSON.stringify(column)} of type ${type}\n  text:   ${text}\n  ours:   ${ours}\n  wanted: ${wanted}`,
  )
}

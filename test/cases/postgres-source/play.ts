import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { PostgresOptions } from '../../../connectors/postgres/options.ts'
import type { EmbeddedLog } from '../../../src/log/embedded.ts'
import { CaseFault } from '../difference.ts'
import { isObject } from '../json.ts'
import { ConnectorRun } from './connector-run.ts'
import type { StopAt } from './consumer.ts'
import type { CaseServer } from './database.ts'
import type { Delivery } from './delivery.ts'
import type { Step, Stop } from './steps.ts'

/** A consumer, a slot or a record is waited for so long. */
const patienceMs = 5_000

export interface Stage {
  readonly server: CaseServer
  readonly url: string
  readonly options: PostgresOptions
  readonly log: EmbeddedLog
}

/** A case under way: its connector, life after life, and the sessions that write. */
export class Play {
  readonly stage: Stage
  readonly runs: ConnectorRun[] = []
  /** What the server said to statements that it refused. */
  readonly refusals: Error[] = []
  /** Where the slot stood when the connector was ready. */
  confirmedAtStart = 0n
  readonly #sessions = new Map<string, pg.Client>()
  readonly #slot: string

  constructor(stage: Stage) {
    this.stage = stage
    this.#slot = stage.options['slot.name'] ?? ''
  }

  get run(): ConnectorRun {
    return this.runs.at(-1)!
  }

  get delivered(): readonly Delivery[] {
    return this.runs.flatMap(({ consumer }) => consumer.delivered)
  }

  async start(steps: readonly Step[]): Promise<void> {
    const armed = steps.find((step) => step.do === 'stop at')
    await this.#start(armed && stopAt(armed.stop))
    this.confirmedAtStart = (await this.stage.server.confirmedLsn(this.#slot)) ?? 0n
  }

  async perform(step: Step): Promise<void> {
    switch (step.do) {
      case 'sql':
        return this.query(step.sql)
      case 'session':
        for (const command of step.commands) await this.#command(step.session, command)
        return
      case 'restart after':
        return this.#restartAfter(step.value)
      case 'stop at':
        await until(() => this.run.hasEnded, 'the consumer never came to where it is to stop')
        if (this.run.stoppedByConsumer) await this.#start()
        return
      case 'advance slot':
        return this.#advanceSlot()
    }
  }

  /** Runs a statement in the case's main session; the server's refusal is kept. */
  async query(sql: string): Promise<void> {
    try {
      await (await this.#session('')).query(sql)
    } catch (error) {
      this.refusals.push(error as Error)
    }
  }

  async ask(sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await (await this.#session('')).query(sql, [...values])).rows
  }

  async close(): Promise<void> {
    await Promise.all(this.runs.map((run) => run.stop()))
    for (const client of this.#sessions.values()) await client.end().catch(() => {})
  }

  async #start(stopAt?: StopAt): Promise<void> {
    this.runs.push(new ConnectorRun(this.stage.options, this.stage.log, stopAt))
    await this.run.ready()
  }

  async #restartAfter(value: string): Promise<void> {
    const arrived = () => this.delivered.some((delivery) => hasValue(delivery, value))
    await until(() => arrived() || this.run.hasEnded, `${value} was not delivered`)
    const { server } = this.stage
    await until(async () => {
      return ((await server.confirmedLsn(this.#slot)) ?? 0n) > this.confirmedAtStart
    }, `${value} was not acknowledged`)
    await this.run.stop()
    await this.#start()
  }

  /** Somebody else moves the slot past a row that the connector has not read. */
  async #advanceSlot(): Promise<void> {
    await sleep(100)
    await this.run.stop()
    await this.#insertRow('', 'never read')
    const sql = 'SELECT pg_replication_slot_advance($1, pg_current_wal_flush_lsn())'
    await until(async () => {
      return this.ask(sql, [this.#slot]).then(
        () => true,
        () => false,
      )
    }, `the slot ${this.#slot} could not be advanced`)
    await this.#start()
  }

  async #command(session: string, command: string): Promise<void> {
    const row = /^insert row (\w+)$/.exec(command)?.[1]
    if (row !== undefined) return this.#insertRow(session, row)
    if (command === '(keep open)') return
    if (command !== 'BEGIN' && command !== 'COMMIT') {
      throw new CaseFault(`the command '${command}' of ${session} is not understood`)
    }
    await (await this.#session(session)).query(command)
  }

  /** Into the only column of type text that the case has. */
  async #insertRow(session: string, value: string): Promise<void> {
    const columns = await this.ask(
      `SELECT format('%I.%I', table_schema, table_name) AS table, quote_ident(column_name) AS column
         FROM information_schema.columns
        WHERE data_type = 'text' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
    )
    if (columns.length !== 1) throw new CaseFault(`'insert row' fits ${columns.length} columns`)
    const { table, column } = columns[0]!
    const client = await this.#session(session)
    await client.query(`INSERT INTO ${table} (${column}) VALUES ($1)`, [value])
  }

  async #session(name: string): Promise<pg.Client> {
    let client = this.#sessions.get(name)
    if (client === undefined) {
      client = new pg.Client({ connectionString: this.stage.url })
      client.on('error', () => {})
      this.#sessions.set(name, client)
      await client.connect()
    }
    return client
  }
}

function stopAt(stop: Stop): StopAt {
  if ('rows' in stop) {
    let rows = 0
    return ({ op }) => op === 'c' && ++rows > stop.rows
  }
  return ({ after }) => isObject(after) && String(after[stop.column]) === stop.value
}

export function hasValue({ after }: Delivery, value: string): boolean {
  return isObject(after) && Object.values(after).includes(value)
}

/** Waits for something that must come. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  otherwise: string,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new CaseFault(otherwise)
    await sleep(20)
  }
}

import { Client } from 'pg'

/** The table of seven columns that the benchmarks of the source read. */
const createTable = `CREATE TABLE big (
  id bigint PRIMARY KEY, customer_id int, status text, total numeric(12,2),
  created timestamptz, paid bool, note varchar(100))`

const values = `i, i % 1000, 'status-' || (i % 7), (i % 10000) / 100.0,
  '2026-01-01'::timestamptz + i * interval '1 second', i % 2 = 0, 'note number ' || i`

/** Fills the table: in one transaction, or in one for each row. */
const fill = {
  one: (rows: number) => `INSERT INTO big SELECT ${values} FROM generate_series(1, ${rows}) i`,
  each: (rows: number) => `DO $$ BEGIN
    SET synchronous_commit = off;
    FOR i IN 1..${rows} LOOP INSERT INTO big VALUES (${values}); COMMIT; END LOOP;
  END $$`,
} as const

export type Fill = keyof typeof fill

export interface BigTable {
  readonly rows: number
  readonly fill: Fill
  /** Every run gets a slot of its own, made before the rows, so that all decode the same WAL. */
  readonly slots: number
}

/** Makes the table, a publication `bench` and slots, and then writes the rows. Names the slots. */
export async function makeBigTable(url: string, table: BigTable): Promise<string[]> {
  const client = new Client(url)
  await client.connect()
  await client.query(createTable)
  await client.query('CREATE PUBLICATION bench FOR TABLE big')
  const slots = Array.from({ length: table.slots }, (_, i) => `bench_${i}`)
  for (const slot of slots) {
    await client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot])
  }
  await client.query(fill[table.fill](table.rows))
  await client.query('CHECKPOINT')
  await client.end()
  return slots
}

/** Lets the server forget the WAL of a slot, once it has noticed that the reader is gone. */
export async function dropSlot(url: string, slot: string): Promise<void> {
  const client = new Client({ connectionString: url, replication: 'database' } as object)
  await client.connect()
  try {
    await client.query(`DROP_REPLICATION_SLOT "${slot}" WAIT`)
  } finally {
    await client.end()
  }
}

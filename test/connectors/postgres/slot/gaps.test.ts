import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { PostgresOptions } from '../../../../connectors/postgres/options.ts'
import type { MillraceError } from '../../../../src/core/errors.ts'
import { sweepHeader } from '../../../../src/core/record.ts'
import type { Position } from '../../../../src/core/source.ts'
import { type TestDatabase, usePostgres } from '../../../support/servers/use.ts'
import { brings, openSource, type Reading, read, say, snapshotEnds } from '../reading.ts'

const heals = { 'snapshot.mode': 'when_needed' } as const

/** Ways to lose changes that leave everything as it was, as far as names tell. */
const remakings = {
  'a publication that was made again': [
    'DROP PUBLICATION p',
    'CREATE PUBLICATION p FOR TABLE a, b',
  ],
  'a table that left the publication and came back': [
    'ALTER PUBLICATION p DROP TABLE a',
    'ALTER PUBLICATION p ADD TABLE a',
  ],
} as const

for (const [what, [drop, make]] of Object.entries(remakings)) {
  test(`${what} while nobody read it is a gap`, async (t) => {
    const { database, position } = await snapshotted(t)
    await database.query(`${drop}; UPDATE a SET note = 'unseen' WHERE id = 1`)
    await database.query(make)
    const reading = read(open(database), position, brings('"id":3'))
    await t.rejects(reading, { code: 'POSITION_GAP', message: /was dropped/ })
  })

  test(`${what} while nobody read it heals by a snapshot where that is wanted`, async (t) => {
    const { database, position } = await snapshotted(t)
    await database.query(`${drop}; UPDATE a SET note = 'unseen' WHERE id = 1`)
    await database.query(`DELETE FROM a WHERE id = 2; ${make}`)
    const healed = await read(open(database, heals), position, snapshotEnds)
    t.strictSame(rowsRead(healed), ['{"id":1,"note":"unseen"}', '{"id":1,"note":"b"}'])
    t.strictSame(sweeps(healed), ['db.public.a', 'db.public.b'])
  })

  test(`${what} while it is read heals by a snapshot where that is wanted`, async (t) => {
    const { database, position } = await snapshotted(t)
    const source = open(database, heals)
    const isOver = (reading: Reading) =>
      reading.records.some(isSweep) && brings('"id":4')(reading) && snapshotEnds(reading)
    const reading = read(source, position, isOver)
    reading.catch(() => {}) // Awaited below.
    while (source.status().phase !== 'streaming') await sleep(10)
    await database.query(`${drop}; UPDATE a SET note = 'unseen' WHERE id = 1`)
    await database.query(`DELETE FROM a WHERE id = 2; ${make}`)
    while (source.status().phase === 'streaming') await sleep(10)
    while (source.status().phase !== 'streaming') await sleep(10)
    await database.query("INSERT INTO a VALUES (4, 'after')")
    const healed = await reading
    t.ok(rowsRead(healed).includes('{"id":1,"note":"unseen"}'))
    t.strictSame(sweeps(healed), ['db.public.a', 'db.public.b'])
  })
}

test('a table that another one takes the place of in the configuration is no gap', async (t) => {
  const { database, position } = await snapshotted(t)
  const less = await read(open(database, {}, ['public.b']), position, ({ position }) => {
    return !JSON.parse(position!).tables.includes('public.a')
  })
  await database.query("INSERT INTO a VALUES (5, 'again')")
  const more = await read(open(database), less.position, snapshotEnds)
  t.ok(brings('again')(more))
})

test('a slot that somebody else made is neither dropped nor read', async (t) => {
  const database = await usePostgres(t)
  const { query, database: slot } = database
  await query('CREATE TABLE a (id int PRIMARY KEY, note text); CREATE TABLE b (LIKE a)')
  const text = 'SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1'
  await query(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
  const before = await query(text, [slot])
  for (const mode of ['initial', 'no_data', 'when_needed'] as const) {
    const reading = read(open(database, { 'snapshot.mode': mode }), undefined, () => true)
    await t.rejects(reading, {
      code: 'TARGET_MISCONFIGURED',
      message: /is there already.*slot\.adopt: true.*pg_drop_replication_slot\('/,
    })
  }
  t.strictSame(await query(text, [slot]), before)
  await query(`SELECT pg_drop_replication_slot('${slot}')`)
  await read(open(database), undefined, snapshotEnds)
  t.pass('once it is gone, all goes on')
})

test('a slot of an attempt that came to nothing is made again', async (t) => {
  const database = await usePostgres(t)
  await database.query('CREATE TABLE a (id int PRIMARY KEY, note text); CREATE TABLE b (LIKE a)')
  const intent = await read(open(database), undefined, () => true)
  t.equal(JSON.parse(intent.position!).snapshot.phase, 'intent')
  const slot = database.database
  await database.query(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
  await database.query("INSERT INTO a VALUES (1, 'copied')")
  const { records } = await read(open(database), intent.position, snapshotEnds)
  t.strictSame(
    records.map((record) => say(record).op),
    ['r'],
  )
})

test('a server that went through pg_upgrade is gone on with if its identifier is named', async (t) => {
  const { database, position } = await snapshotted(t)
  const before = {
    ...JSON.parse(position),
    systemId: '1',
    timeline: 7,
    lastVersion: '9'.repeat(18),
  }
  const old = JSON.stringify({ ...before, published: undefined }) as Position
  await database.query("INSERT INTO a VALUES (4, 'after')")
  const refused = await read(open(database), old, () => true).catch((error) => error)
  t.match(refused, { code: 'OTHER_DATABASE', message: /slot\.adopt\.system: '\d+'/ })
  const [, systemId = ''] = /slot\.adopt\.system: '(\d+)'/.exec((refused as MillraceError).message)!
  const wrong = open(database, { 'slot.adopt.system': '1234' })
  await t.rejects(
    read(wrong, old, () => true),
    { code: 'OTHER_DATABASE' },
  )

  const adopting = open(database, { 'slot.adopt.system': systemId })
  const { records, position: after } = await read(adopting, old, brings('"id":4'))
  t.strictSame(
    records.map((record) => say(record).op),
    ['c'],
  )
  t.ok(records[0]!.version > BigInt(before.lastVersion), 'versions go on above those of before')
  t.match(JSON.parse(after!), { systemId, timeline: 1 })
})

function open(
  database: TestDatabase,
  options: Partial<PostgresOptions> = {},
  tables: readonly string[] = ['public.a', 'public.b'],
) {
  return openSource(database, tables, { options: { 'publication.name': 'p', ...options } })
}

/** Two tables whose snapshot is over, and that were streamed once. */
async function snapshotted(t: Test) {
  const database = await usePostgres(t)
  await database.query(`
    CREATE TABLE a (id int PRIMARY KEY, note text);
    CREATE TABLE b (id int PRIMARY KEY, note text);
    INSERT INTO a VALUES (1, 'a'), (2, 'a');
    INSERT INTO b VALUES (1, 'b')`)
  const { position } = await read(open(database), undefined, snapshotEnds)
  return { database, position: position! }
}

function isSweep({ headers }: { readonly headers?: Readonly<Record<string, string>> | undefined }) {
  return headers?.[sweepHeader] !== undefined
}

function rowsRead({ records }: Reading): string[] {
  return records.map(say).flatMap(({ op, after }) => (op === 'r' ? [after] : []))
}

function sweeps({ records }: Reading): string[] {
  return records.filter(isSweep).map(({ topic }) => topic)
}

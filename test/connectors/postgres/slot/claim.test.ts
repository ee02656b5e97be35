import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { usePostgres } from '../../../support/servers/use.ts'
import { openSource } from '../reading.ts'

const forever = new AbortController().signal

test('a standby learns that a slot is taken before anything is read or copied', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table a (id int primary key)')
  await database.query('insert into a values (1)')
  const active = openSource(database, ['public.a'])
  const standby = openSource(database, ['public.a'])
  await active.claim(forever)
  await t.rejects(standby.claim(forever), { code: 'SLOT_IN_USE', message: /server process \d+/ })
  const reading = active.read(undefined, forever)[Symbol.asyncIterator]()
  await reading.next()
  const waiting = standby.claim(forever)
  const first = await Promise.race([waiting.then(() => 'claimed'), sleep(1_500, 'still waits')])
  t.equal(first, 'still waits', 'also while tables are copied')
  await reading.return?.(undefined)
  await waiting
  await t.rejects(active.claim(forever), { code: 'SLOT_IN_USE' })
})

test('a reader whose claim is lost stops reading, and may claim again', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table a (id int primary key)')
  const source = openSource(database, ['public.a'])
  await source.claim(forever)
  const read = async () => {
    for await (const _ of source.read(undefined, forever)) if (streaming()) cutting.abort()
  }
  const streaming = () => source.status().phase === 'streaming'
  const cutting = new AbortController()
  const cut = once(cutting.signal, 'abort').then(() =>
    database.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
          and database = (select oid from pg_database where datname = current_database())`,
    ),
  )
  const reading = read()
  const inserting = setInterval(() => {
    if (streaming()) void database.query('insert into a select 1 + count(*) from a')
  }, 100)
  await t.rejects(reading, { code: 'CONNECTION_LOST', message: /holds the slot/ })
  clearInterval(inserting)
  await cut
  await source.claim(forever)
})

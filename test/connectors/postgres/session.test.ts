import { createServer, connect as dial, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { connect, quoteLiteral, quoteName, whereIs } from '../../../connectors/postgres/session.ts'
import { aliveEveryMs, silenceLimitMs } from '../../../connectors/postgres/wal/silence.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'
import { openSource, read, snapshotEnds } from './reading.ts'

test('names and literals mean what they say, whatever they hold', async (t) => {
  const { url } = await usePostgres(t)
  const client = await connect(url)
  t.teardown(() => client.end())
  for (const text of [`a"b`, `"; drop table x; --`, `it's`, 'back\\slash', 'é ü', `$1 ''"" %`]) {
    const { rows } = await client.query(`SELECT ${quoteLiteral(text)} AS ${quoteName(text)}`)
    t.strictSame(rows, [{ [text]: text }])
  }
})

test('who signs in wrongly is told so without a password', async (t) => {
  const { url } = await usePostgres(t)
  const wrong = url.replace('postgres:postgres@', 'postgres:hush-hush@')
  const error = await connect(wrong).catch((error) => error)
  t.match(error, { code: 'ACCESS_DENIED', message: /refuses access: password authentication/ })
  t.notMatch(error.message, /hush/)
  await t.rejects(connect(`${url}_none`), { code: 'TARGET_MISCONFIGURED' })
  t.equal(whereIs('postgres://u:p@h:1/db?sslpassword=x'), 'h:1/db')
  await t.rejects(connect('postgres://u:hush@h:port/db'), { code: 'CONFIG_INVALID' })
  t.end()
})

test('how long a server waits decides how often it hears from us, and when we give up', (t) => {
  t.equal(aliveEveryMs(60_000), 10_000)
  t.equal(aliveEveryMs(1_000), 500)
  t.equal(aliveEveryMs(0), 10_000, 'it waits for ever')
  t.equal(silenceLimitMs(60_000), 120_000)
  t.equal(silenceLimitMs(0), 120_000)
  t.end()
})

test('a server keeps a reader that reads nothing while its log is blocked', async (t) => {
  const database = await usePostgres(t, { settings: { wal_sender_timeout: '1s' } })
  await database.query('create table a (id int primary key, filler text)')
  const copied = await read(openSource(database, ['public.a']), undefined, snapshotEnds)
  await database.query("insert into a select n, repeat('x', 1000) from generate_series(1, 20000) n")
  const stop = new AbortController()
  const reading = openSource(database, ['public.a']).read(copied.position, stop.signal)
  const batches = reading[Symbol.asyncIterator]()
  let records = (await batches.next()).value!.records.length
  await sleep(3_000)
  while (records < 20_000) records += (await batches.next()).value!.records.length
  stop.abort()
  await batches.return?.(undefined)
  t.equal(records, 20_000, 'no connection was lost meanwhile')
})

test('a server that falls silent is given up; one that is merely idle is not', async (t) => {
  const database = await usePostgres(t, { settings: { wal_sender_timeout: '1s' } })
  await database.query('create table a (id int primary key)')
  const copied = await read(openSource(database, ['public.a']), undefined, snapshotEnds)
  const relay = await startRelay(t, database)
  const source = openSource({ ...database, url: relay.url }, ['public.a'])
  const reading = source.read(copied.position, new AbortController().signal)
  const batches = reading[Symbol.asyncIterator]()
  const silent = Promise.withResolvers<unknown>()
  const pull = async () => {
    for (;;) await batches.next()
  }
  pull().catch(silent.resolve)
  await sleep(4_000)
  const early = await Promise.race([silent.promise, sleep(10, 'still reading')])
  t.equal(early, 'still reading')
  relay.fallSilent()
  t.match(await silent.promise, { code: 'CONNECTION_LOST', message: /has not answered for/ })
})

/** Passes bytes on until it is told to swallow them, as a broken network does. */
async function startRelay(t: Test, { url }: TestDatabase) {
  const target = new URL(url)
  const port = Number(target.port)
  const sockets: Socket[] = []
  let silent = false
  const server = createServer((client) => {
    const upstream = dial(port, '127.0.0.1')
    sockets.push(client, upstream)
    client.on('data', (bytes) => silent || upstream.write(bytes))
    upstream.on('data', (bytes) => silent || client.write(bytes))
    client.on('error', () => {}).on('close', () => silent || upstream.destroy())
    upstream.on('error', () => {}).on('close', () => silent || client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  target.port = String((server.address() as { port: number }).port)
  return { url: target.href, fallSilent: () => void (silent = true) }
}

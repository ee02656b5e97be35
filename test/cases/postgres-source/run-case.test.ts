import t from 'tap'
import { usePostgres } from '../../support/servers/use.ts'
import { readCase } from './case.ts'
import { CaseServer } from './database.ts'
import { runCase } from './run-case.ts'

const table = 'CREATE TABLE public.t (pk SERIAL PRIMARY KEY, v TEXT)'
const insert = "INSERT INTO public.t (v) VALUES ('x')"
const topic = 'test_server.public.t'
const created = { op: 'c', topic, key: { pk: 1 }, before: null, after: { v: 'x' } }

const plain = {
  ...{ name: 'n', group: 'g', phase: 'stream+snapshot', ddl: [table], dml: [insert], config: {} },
  expect: { compare: 'subset', records: [created] },
}

t.test('cases on a real server', async (t) => {
  const { adminUrl } = await usePostgres(t, { settings: { fsync: 'off' } })
  const server = new CaseServer(adminUrl)
  t.teardown(() => server.close())
  await server.prepare()
  let count = 0
  /** Paths that differ. */
  const run = async (changes: object): Promise<string[]> => {
    const read = readCase({ ...plain, ...changes }, 0)
    if (!('parsed' in read)) throw new Error(read.faults.join())
    const found = await runCase(read.parsed, server, `case_${++count}`)
    return found.map(({ path, actual }) => (path === 'case' ? String(actual) : path))
  }
  const expecting = (expect: object) => ({ expect: { ...plain.expect, ...expect } })

  t.test('a row passes from the stream and from a snapshot', async (t) => {
    t.same(await run({}), [])
  })

  t.test('a wrong value fails both ways', async (t) => {
    const wrong = expecting({ records: [{ ...created, after: { v: 'y' } }] })
    t.same(await run(wrong), ['records[0].after.v', 'snapshot: records[0].after.v'])
  })

  t.test('a record that does not come, or that nobody expects, fails', async (t) => {
    const phase = 'stream'
    t.same(await run({ phase, ...expecting({ records: [created, created] }) }), ['records.length'])
    t.same(await run({ phase, ...expecting({ records: [] }) }), ['records.length'])
  })

  t.test('the rows of ddl are read by a snapshot before the stream', async (t) => {
    const ddl = [table, "INSERT INTO public.t (v) VALUES ('before')"]
    const read = { op: 'r', topic, key: { pk: 1 }, before: null, after: { v: 'before' } }
    const records = [read, { ...created, key: { pk: 2 } }]
    t.same(await run({ phase: 'both', ddl, ...expecting({ records }) }), [])
    t.same(await run({ phase: 'stream', ddl, ...expecting({ records: records.slice(1) }) }), [])
  })

  t.test('a statement that the server refuses fails, unless that is expected', async (t) => {
    const dml = ['INSERT INTO public.nowhere VALUES (1)']
    const none = { records: [] }
    t.same(await run({ phase: 'stream', dml, ...expecting(none) }), ['dml'])
    const refused = expecting({ ...none, serverError: true })
    t.same(await run({ phase: 'stream', dml, ...refused }), [])
    t.same(await run({ phase: 'stream', dml: [], ...refused }), ['serverError'])
  })

  t.test('an error that is expected must come', async (t) => {
    const wanted = expecting({ error: true })
    t.same(await run({ phase: 'stream', ...wanted }), ['error'])
  })

  t.test('what is not understood never passes', async (t) => {
    await t.rejects(run({ dml: ['-- wait'] }), { message: /'-- wait' is not understood/ })
    await t.rejects(run({ ddl: [table, '-- wait'] }), { message: /is not understood/ })
    await t.rejects(run({ config: { 'no.such': '1' } }), { message: /no option no\.such/ })
    const odd = 'all is well'
    t.same(await run(expecting({ invariants: [odd] })), [`invariant '${odd}'`])
  })

  t.test('a stored column is compared with what the database holds', async (t) => {
    const stored = { ...created, after: { v: { $sql: 'SELECT v FROM t' } } }
    t.same(await run({ phase: 'stream', ...expecting({ records: [stored] }) }), [])
    const odd = { ...created, after: { v: { $sql: 'SELECT max(v) FROM t' } } }
    const records = [odd]
    await t.rejects(run({ phase: 'stream', ...expecting({ records }) }), {
      message: /'SELECT max\(v\) FROM t' is not understood/,
    })
  })

  t.test('transactions that overlap a restart come once each, in commit order', async (t) => {
    const dml = [
      '-- T1: BEGIN; insert row A; (keep open)',
      '-- T2: BEGIN; insert row B; COMMIT',
      '-- consumer restarted after B is delivered and acknowledged',
      '-- T1: insert row C; COMMIT',
    ]
    const invariants = (order: string) => [
      `${order} delivered exactly once each in commit order (${order.replace(',', ' before')})`,
    ]
    const records: unknown[] = []
    const phase = 'stream'
    t.same(
      await run({ phase, dml, ...expecting({ records, invariants: invariants('B, A, C') }) }),
      [],
    )
    const wrong = expecting({ records, invariants: invariants('A, B, C') })
    t.equal((await run({ phase, dml, ...wrong })).length, 1)
  })

  t.test('a slot that somebody moved is a gap that must be reported', async (t) => {
    const dml = [
      '-- offset store says LSN X; slot confirmed_flush_lsn > X (slot advanced by someone else); start',
    ]
    const invariants = ['gap is reported (or re-snapshot), because START_REPLICATION goes on']
    const phase = 'stream'
    t.same(await run({ phase, dml, ...expecting({ records: [], invariants }) }), [])
  })
})

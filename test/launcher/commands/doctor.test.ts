import { join } from 'node:path'
import { type Test, test } from 'tap'
import { type Examined, showParts, showRepairs } from '../../../src/launcher/commands/doctor.ts'
import { type TestDatabase, usePostgres } from '../../support/servers/use.ts'
import { cli, start } from '../child.ts'

const configuration = ({ url }: Pick<TestDatabase, 'url'>, tables: string) => `name: shop
connectors:
  db: {type: postgres, url: "${url}", tables: [${tables}]}
sinks:
  lines: {type: file, path: lines.ndjson, from: db.public.orders}
`

test('a pipeline in order: exit code 0, and what was looked at', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table orders (id int primary key)')
  const { code, output } = await doctor(t, configuration(database, 'public.orders'))
  t.equal(code, 0)
  t.match(output, /^connector db \(postgres\)\n {2}ok {7}PostgreSQL/)
  t.match(output, /public\.orders has the primary key \(id\)/)
  t.match(output, /slot millrace_shop_db is made at the first start/, 'names as `run` has them')
  t.match(output, /\nsink lines \(file\)\n/)
  t.match(output, /\n0 errors, \d+ warnings?\n$/)
})

test('what is wrong: exit code 1, with the SQL below it, or alone', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table orders (id int); create table items (id int)')
  const text = configuration(database, 'public.orders, public.items')
  const people = await doctor(t, text)
  t.equal(people.code, 1)
  t.match(people.output, /error {4}public\.orders has no primary key and no replica identity/)
  t.match(people.output, /\n {11}ALTER TABLE "public"\."orders" REPLICA IDENTITY FULL;\n/)
  const sql = await doctor(t, text, '--sql')
  t.equal(sql.code, 1)
  const statements = sql.output.split('\n').filter((line) => line !== '' && !line.startsWith('--'))
  t.ok(statements.every((line) => line.endsWith(';')))
  for (const line of statements) if (!line.startsWith('ALTER SYSTEM')) await database.query(line)
  t.equal((await doctor(t, text)).code, 0, 'the SQL repairs it')
})

test('a column that a view names and the table does not have is an error', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table orders (id int primary key, total int)')
  const views = 'views:\n  v: {root: db.public.orders, fields: [id, totl]}\n'
  const { code, output } = await doctor(t, configuration(database, 'public.orders') + views)
  t.equal(code, 1)
  t.match(output, /\nviews shop \(columns\)\n {2}error .*views\.v\.fields.*did you mean total\?/)
})

test('--json: the same for programs', async (t) => {
  const database = await usePostgres(t)
  await database.query('create table orders (id int)')
  const { code, output } = await doctor(t, configuration(database, 'public.orders'), '--json')
  t.equal(code, 1)
  const { ok, parts } = JSON.parse(output)
  t.equal(ok, false)
  t.match(parts, [
    { kind: 'connector', name: 'db', type: 'postgres' },
    { kind: 'sink', name: 'lines', type: 'file' },
  ])
  const found = parts[0].findings.find(({ level }: { level: string }) => level === 'error')
  t.strictSame(found.repair, ['ALTER TABLE "public"."orders" REPLICA IDENTITY FULL;'])
})

test('a server that is not there is an error, and its password stays secret', async (t) => {
  const url = 'postgres://u:hush-hush@127.0.0.1:1/db'
  const { code, output } = await doctor(t, configuration({ url }, 'public.orders'))
  t.equal(code, 1)
  t.match(output, /error {4}Postgres at 127\.0\.0\.1:1\/db cannot be reached/)
  t.notMatch(output, /hush/)
})

test('a configuration that is not valid: exit code 2, and nothing is asked', async (t) => {
  const url = 'postgres://u:p@127.0.0.1:1/db'
  const text = configuration({ url }, 'public.orders').replace('tables', 'tabels')
  const { code, output } = await doctor(t, text)
  t.equal(code, 2)
  t.match(output, /tabels: is not an option; did you mean tables\?/)
  t.equal((await doctor(t, text, '--json')).code, 2)
})

test('it explains itself, with examples', async (t) => {
  const { output, ended } = start(cli, ['doctor', '--help'])
  t.equal(await ended, 0)
  t.match(output(), /Usage: millrace doctor[\s\S]*Examples:\n {2}\$ millrace doctor/)
})

const parts: readonly Examined[] = [
  {
    ...{ kind: 'connector', name: 'db', type: 'postgres' },
    findings: [
      { level: 'ok', what: 'fine' },
      { level: 'warning', what: 'two\nlines', hint: 'Mind it.', repair: ['A;', 'B;'] },
      { level: 'error', what: 'bad', repair: ['A;'] },
    ],
  },
  { kind: 'sink', name: 'lines', type: 'file', findings: [] },
]

test('findings are listed by part', (t) => {
  t.equal(
    showParts(parts),
    `connector db (postgres)
  ok       fine
  warning  two\nlines
           Mind it.
           A;
           B;
  error    bad
           A;

sink lines (file)
  nothing to check

1 error, 1 warning`,
  )
  t.end()
})

test('repairs are listed once each, with the reason as a comment of one line', (t) => {
  t.equal(showRepairs(parts), '-- connector db: two lines\nA;\nB;')
  t.equal(showRepairs([]), '-- nothing to repair')
  t.end()
})

async function doctor(t: Test, text: string, ...flags: readonly string[]) {
  const folder = t.testdir({ 'p.yaml': text })
  const { output, ended } = start(cli, ['doctor', join(folder, 'p.yaml'), ...flags])
  const code = await ended
  return { code, output: output() }
}

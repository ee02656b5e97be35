import pg from 'pg'
import t, { type Test } from 'tap'
import { TypeCatalog } from '../../../../connectors/postgres/values/type-catalog.ts'
import type { TypeInfo } from '../../../../connectors/postgres/values/type-info.ts'
import { usePostgres } from '../../../support/servers/use.ts'

t.test('a type is looked up with all that it consists of', async (t) => {
  const { query, url } = await usePostgres(t)
  await query(`
    create schema app;
    create type app.mood as enum ('sad', 'ok');
    alter type app.mood add value 'meh' before 'ok';
    create domain app.price as numeric(8,2);
    create domain app.net_price as app.price;
    create type app.item as (id int8, gone int4, price app.net_price, "moods" app.mood[]);
    alter type app.item drop attribute gone;
    create type app.span as range (subtype = float8, multirange_type_name = app.spans);
    create domain app.items as app.item[];
    create table app.orders (tags app.items, at app.spans)`)
  const catalog = await openCatalog(t, url)
  const load = async (name: string) => {
    const [row] = await query<{ oid: string }>(`select to_regtype('${name}')::oid::text as oid`)
    const oid = Number(row!.oid)
    await catalog.types.load([oid])
    return catalog.types.get(oid)!
  }

  const items = kindOf(await load('app.items'), 'domain')
  const item = kindOf(kindOf(items.base, 'array').element, 'composite')
  t.equal(item.name, 'item')
  t.equal(item.namespace, 'app')
  t.same(
    item.fields.map(({ name }) => name),
    ['id', 'price', 'moods'],
  )
  const netPrice = kindOf(item.fields[1]!.type, 'domain')
  t.equal(netPrice.typmod, -1)
  t.equal(kindOf(netPrice.base, 'domain').typmod, ((8 << 16) | 2) + 4)
  const moods = kindOf(item.fields[2]!.type, 'array')
  t.same(kindOf(moods.element, 'enum').labels, ['sad', 'meh', 'ok'])
  const spans = kindOf(await load('app.spans'), 'multirange')
  t.equal(kindOf(spans.range, 'range').subtype.name, 'float8')
  t.match(await load('app.orders'), {
    kind: 'composite',
    fields: [{ name: 'tags' }, { name: 'at' }],
  })
})

t.test('types are asked for once, built-in ones never', async (t) => {
  const { query, url } = await usePostgres(t)
  await query(`create type mood as enum ('sad')`)
  const [{ oid } = { oid: '' }] = await query<{ oid: string }>(
    `select 'mood'::regtype::oid::text as oid`,
  )
  const catalog = await openCatalog(t, url)
  await catalog.types.load([23, 1007, 1700, 3904])
  t.equal(catalog.queries(), 0)
  t.equal(catalog.types.get(1007)?.kind, 'array')
  await catalog.types.load([23, Number(oid)])
  await catalog.types.load([Number(oid)])
  t.equal(catalog.queries(), 1)

  await query(`alter type mood add value 'ok'`)
  catalog.types.forget()
  await catalog.types.load([Number(oid)])
  t.same(kindOf(catalog.types.get(Number(oid))!, 'enum').labels, ['sad', 'ok'])
})

t.test('the built-in types are those of the server', async (t) => {
  const { query, url } = await usePostgres(t)
  const catalog = await openCatalog(t, url)
  const rows = await query<{ oid: string; name: string; delimiter: string; element: string }>(`
    select t.oid::text as oid, t.typname as name, t.typdelim as delimiter,
      case when a.oid is null then '' else a.typname end as element
    from pg_type t left join pg_type a on a.typarray = t.oid
    where t.oid < 10000`)
  const known = rows.filter(({ oid }) => catalog.types.get(Number(oid)) !== undefined)
  t.ok(known.length > 110, 'most of them are there')
  for (const { oid, name, delimiter, element } of known) {
    const type = catalog.types.get(Number(oid))!
    t.equal(type.name, name, `${oid} is ${name}`)
    if (element === '') t.equal(type.delimiter, delimiter, `${name} has its delimiter`)
    else t.equal(kindOf(type, 'array').element.name, element, `${name} has its element`)
  }
})

t.test('a type that is gone is text', async (t) => {
  const { url } = await usePostgres(t)
  const catalog = await openCatalog(t, url)
  await catalog.types.load([4_000_000_000])
  t.match(catalog.types.get(4_000_000_000), { kind: 'pseudo', name: 'oid 4000000000' })
})

async function openCatalog(t: Test, url: string) {
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  let asked = 0
  const types = new TypeCatalog(async (sql, params) => {
    asked++
    return (await client.query(sql, [...params])).rows
  })
  return { types, queries: () => asked }
}

function kindOf<Kind extends TypeInfo['kind']>(type: TypeInfo, kind: Kind) {
  if (type.kind !== kind) throw new Error(`${type.name} is of kind ${type.kind}, not ${kind}`)
  return type as Extract<TypeInfo, { kind: Kind }>
}

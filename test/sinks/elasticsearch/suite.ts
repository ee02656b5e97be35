import { type Test, test } from 'tap'
import type { LogRecord } from '../../../src/core/record.ts'
import type { Schema } from '../../../src/core/schema.ts'
import type { Refusal, Sink } from '../../../src/core/sink.ts'
import type { Position } from '../../../src/core/source.ts'
import { sinkContract } from '../../contract/sink.ts'
import { batch, put } from '../../support/records.ts'
import { makeTarget, type Target } from './target.ts'

/** What the sink promises on a real server of either product. */
export function sinkSuite(name: string, url: string): void {
  const promises = { versioned: true, keepsDeletes: true, transactional: false }
  sinkContract(name, promises, () => makeTarget(url))
  const promise = (sentence: string, body: (t: Test, target: Target) => Promise<void>) => {
    test(`${name} ${sentence}`, async (t) => {
      const target = await makeTarget(url)
      t.teardown(() => target.close())
      await body(t, target)
    })
  }
  refusals(promise)
  disappearances(promise)
  blocks(promise)
  mappings(promise)
  checks(promise)
}

type PromiseTest = (sentence: string, body: (t: Test, target: Target) => Promise<void>) => void

function refusals(promise: PromiseTest): void {
  promise('refuses what does not fit the mapping, and takes the rest', async (t, target) => {
    const sink = await started(target, { mapping: { n: { type: 'integer' } } })
    const outcomes = await apply(sink, [
      put('1', { n: 1 }),
      put('2', { n: 'abc' }, { ordinal: 1 }),
      put('3', { n: 3 }, { ordinal: 2 }),
    ])
    t.same([outcomes[0], outcomes[2]], ['applied', 'applied'])
    const { code, reason } = outcomes[1] as Refusal
    t.match(code, /document_parsing_exception|mapper_parsing_exception/)
    t.match(reason, /failed to parse field \[n\]/)
    t.same(await ids(target), ['1', '3'])
  })

  promise('tries the state before one that was refused', async (t, target) => {
    const sink = await started(target, { mapping: { n: { type: 'integer' } } })
    const outcomes = await apply(sink, [
      put('1', { n: 1 }, { version: 1 }),
      put('1', { n: 2 }, { version: 2 }),
      put('1', { n: 'abc' }, { version: 3 }),
      put('1', { n: {} }, { version: 4 }),
    ])
    t.same(outcomes.slice(0, 2), ['coalesced', 'applied'])
    t.ok(outcomes.slice(2).every((outcome) => typeof outcome !== 'string'))
    t.equal((await target.stored()).get('1'), '{"n":2}')
  })

  promise('refuses an id over 512 bytes without failing its neighbours', async (t, target) => {
    const sink = await started(target)
    const long = 'é'.repeat(257)
    const outcomes = await apply(sink, [put('1', {}), put(long, {}), put('é'.repeat(256), {})])
    t.same(outcomes, [
      'applied',
      { code: 'id_too_long', reason: 'The id has 514 bytes; Elasticsearch takes 512 at most.' },
      'applied',
    ])
    t.same(await ids(target), ['1', 'é'.repeat(256)])
  })

  promise('cuts a reason that holds a whole value', async (t, target) => {
    const sink = await started(target, { mapping: { k: { type: 'keyword' } } })
    const [outcome] = await apply(sink, [put('1', { k: 'x'.repeat(40_000) })])
    t.ok((outcome as Refusal).reason.length <= 300)
  })

  promise('writes many documents by requests of few bytes', async (t, target) => {
    const sink = await started(target, { batchBytes: 20_000, inFlight: 3 })
    const records = Array.from({ length: 1000 }, (_, i) =>
      put(i, { text: 'x'.repeat(i % 700) }, { ordinal: i }),
    )
    const outcomes = await apply(sink, records)
    t.ok(outcomes.every((outcome) => outcome === 'applied'))
    t.equal((await target.stored()).size, 1000)
  })
}

function disappearances(promise: PromiseTest): void {
  promise('notices a deleted index while it runs, and fills it again', async (t, target) => {
    const sink = await started(target, { mapping: { note: { type: 'keyword' } } })
    const first = [put('1', { note: 'a' }), put('2', { note: 'b' }, { ordinal: 1 })]
    await apply(sink, first)
    await target.ask('DELETE', `/${target.index}`)
    const next = [put('3', { note: 'c' }, { version: 2 })]
    await t.rejects(apply(sink, next), { code: 'TARGET_CHANGED' })
    t.equal(await sink.resume('orders'), undefined)
    await apply(sink, [...first, ...next])
    t.same(await ids(target), ['1', '2', '3'])
    t.match(await target.ask('GET', `/${target.index}/_mapping`), '"note":{"type":"keyword"}')
    t.match(target.said, ['filled again'])
  })

  promise('takes the place of an index made up while it was dead', async (t, target) => {
    const sink = await started(target, { mapping: { note: { type: 'keyword' } } })
    await apply(sink, [put('1', { note: 'a' })])
    await sink.close()
    await target.ask('DELETE', `/${target.index}`)
    await target.ask('PUT', `/${target.index}/_doc/9`, { note: 'made up' })
    const again = await started(target, { mapping: { note: { type: 'keyword' } } })
    await apply(again, [put('1', { note: 'a' })])
    t.same(await ids(target), ['1'])
    t.match(await target.ask('GET', `/${target.index}/_mapping`), '"note":{"type":"keyword"}')
  })

  promise('leaves an index that somebody else has mapped as it is', async (t, target) => {
    await target.ask('PUT', `/${target.index}`, {
      mappings: { dynamic: 'strict', properties: { total: { type: 'short' } } },
    })
    const sink = await started(target)
    const outcomes = await apply(sink, [put('1', { total: 5 }), put('2', { other: 5 })])
    t.equal(outcomes[0], 'applied')
    t.equal((outcomes[1] as Refusal).code, 'strict_dynamic_mapping_exception')
    await sink.clear('orders')
    t.match(await target.ask('GET', `/${target.index}/_mapping`), '"total":{"type":"short"}')
    t.same(await ids(target), [])
  })

  promise('pauses instead when that is asked for, until it is emptied', async (t, target) => {
    const sink = await started(target)
    await apply(sink, [put('1', {})])
    await sink.close()
    const again = target.open({ id: 'order-{id}', reshaped: 'pause' })
    await t.rejects(again.resume('orders'), {
      code: 'TARGET_MISCONFIGURED',
      message: /filled with another id.*millrace reindex.*sink refill/,
    })
    t.same(await ids(target), ['1'])
    await again.clear('orders')
    t.equal(await again.resume('orders'), undefined)
    await apply(again, [put('1', {})])
    t.same(await ids(target), ['order-1'])
  })

  promise('empties the index when its ids are made in another way', async (t, target) => {
    const sink = await started(target)
    await apply(sink, [put('1', {})])
    await sink.close()
    const again = await started(target, { id: 'order-{id}' })
    await apply(again, [put('1', {})])
    t.same(await ids(target), ['order-1'])
  })
}

function blocks(promise: PromiseTest): void {
  promise('pauses while the index is closed or blocked, then goes on', async (t, target) => {
    const sink = await started(target)
    const settings = `/${target.index}/_settings`
    const blocked = { code: 'TARGET_BLOCKED' }
    await target.ask('PUT', settings, { 'index.blocks.write': true })
    await t.rejects(apply(sink, [put('1', {})]), blocked)
    await target.ask('PUT', settings, { 'index.blocks.write': null })
    await target.ask('PUT', settings, { 'index.blocks.read_only_allow_delete': true })
    await t.rejects(apply(sink, [put('1', {})]), blocked)
    await target.ask('PUT', settings, { 'index.blocks.read_only_allow_delete': null })
    await target.ask('POST', `/${target.index}/_close`)
    await t.rejects(apply(sink, [put('1', {})]), blocked)
    await target.ask('POST', `/${target.index}/_open`)
    t.same(await apply(sink, [put('1', {})]), ['applied'])
  })

  promise('pauses at the limit of fields, and says what to raise', async (t, target) => {
    const settings = { 'mapping.total_fields.limit': 3 }
    const sink = await started(target, { settings })
    const wide = put('1', { a: 1, b: 2, c: 3, d: 4, e: 5 })
    await t.rejects(apply(sink, [wide]), {
      code: 'TARGET_MISCONFIGURED',
      message: /total_fields\.limit/,
    })
  })

  promise('pauses on settings that the server does not know', async (t, target) => {
    const sink = target.open({ settings: { no_such_setting: 1 } })
    await t.rejects(sink.resume('orders'), {
      code: 'TARGET_MISCONFIGURED',
      message: /no_such_setting/,
    })
  })
}

function mappings(promise: PromiseTest): void {
  promise('maps the columns of a table before its first document', async (t, target) => {
    const sink = await started(target, { mapping: { code: { type: 'keyword' } } })
    await apply(sink, [{ ...put('1', odd), schema: table }])
    const mapping = await target.ask('GET', `/${target.index}/_mapping`)
    for (const field of ['"id":{"type":"long"}', '"code":{"type":"keyword"}', '"enabled":false']) {
      t.match(mapping, field)
    }
    t.same(await ids(target), ['1'])
    const added = { columns: [...table.columns, column('more', 'boolean', 'bool')] }
    await apply(sink, [{ ...put('2', { more: true }), schema: added }])
    t.match(await target.ask('GET', `/${target.index}/_mapping`), '"more":{"type":"boolean"}')
  })

  promise('keeps microseconds for searches where that is asked for', async (t, target) => {
    const times: Schema = {
      columns: [
        column('at', 'timestamptz', 'timestamptz'),
        { ...column('all', 'array', 'timestamp[]'), element: 'timestamp' },
      ],
    }
    const sink = await started(target, { timestamps: 'date_nanos' })
    const at = (n: number) => ({ at: `2026-01-02T03:04:05.00000${n}Z`, all: [] })
    const rows = [
      ...[put('1', at(1)), put('2', at(2), { ordinal: 1 })],
      put('3', { at: 'infinity', all: ['0044-03-15T00:00:00 BC', null] }, { ordinal: 2 }),
      put('4', { at: '1492-10-12T00:00:00Z', all: [] }, { ordinal: 3 }),
    ].map((record) => ({ ...record, schema: times }))
    t.same(await apply(sink, rows), ['applied', 'applied', 'applied', 'applied'])
    await target.ask('POST', `/${target.index}/_refresh`)
    const range = { gt: '2026-01-02T03:04:05.000001Z' }
    const found = await target.ask('POST', `/${target.index}/_search`, {
      query: { range: { at: range } },
    })
    t.same(
      [...found.matchAll(/"_id":"(\d)"/g)].map(([, id]) => id),
      ['2'],
    )
  })

  promise('refuses what is no column once the columns are known', async (t, target) => {
    const sink = await started(target)
    const [unknown] = await apply(sink, [{ ...put('1', { id: 1, typo: 2 }), schema: table }])
    t.equal((unknown as Refusal).code, 'strict_dynamic_mapping_exception')
    const lenient = await makeTarget(target.url)
    t.teardown(() => lenient.close())
    const other = await started(lenient, { dynamic: false })
    const record = { ...put('1', { id: 1, typo: 2 }), schema: table }
    t.same(await apply(other, [record]), ['applied'])
  })

  promise('pauses when a column no longer fits its field', async (t, target) => {
    const sink = await started(target)
    await apply(sink, [{ ...put('1', odd), schema: table }])
    const changed = { columns: [column('id', 'string', 'text')] }
    await t.rejects(apply(sink, [{ ...put('2', {}), schema: changed }]), {
      code: 'TARGET_MISCONFIGURED',
      message: /\[id\].*cannot be changed.*millrace reindex/,
    })
  })
}

function checks(promise: PromiseTest): void {
  promise('is checked before it is there, and with what is wrong with it', async (t, target) => {
    const server = { level: 'ok', what: /^(Elasticsearch|OpenSearch) \d/ }
    t.match(await target.check(), [server, { level: 'ok', what: /will be made/ }])
    await started(target)
    t.match(await target.check(), [server, { level: 'ok', what: /is there/ }])
    const settings = { 'translog.durability': 'async', gc_deletes: '60s', 'blocks.write': true }
    await target.ask('PUT', `/${target.index}/_settings`, settings)
    t.match(await target.check(), [
      server,
      { level: 'warning', what: /does not sync/ },
      { level: 'warning', what: /forgets a delete/ },
      { level: 'error', what: /index\.blocks\.write is set/ },
    ])
  })
}

function column(name: string, kind: Schema['columns'][number]['kind'], type: string) {
  return { name, kind, type, key: name === 'id' }
}

const table: Schema = {
  columns: [
    column('id', 'int8', 'int8'),
    column('code', 'string', 'text'),
    column('price', 'decimal', 'numeric(10,2)'),
    column('ratio', 'number', 'float8'),
    column('at', 'timestamptz', 'timestamptz'),
    column('day', 'date', 'date'),
    column('extra', 'json', 'jsonb'),
    column('raw', 'bytes', 'bytea'),
    { ...column('tags', 'array', 'text[]'), element: 'string' },
  ],
}

/** Values at the edge of what Postgres holds. */
const odd = {
  id: 9223372036854775807n,
  code: 'x',
  price: 'NaN',
  ratio: 'Infinity',
  at: 'infinity',
  day: '4713-01-01 BC',
  extra: [1, { a: 'b' }, 'c'],
  raw: 'AAEC',
  tags: ['a', null],
}

async function started(target: Target, options = {}): Promise<Sink<LogRecord>> {
  const sink = target.open(options)
  await sink.resume('orders')
  return sink
}

let positions = 0

async function apply(sink: Sink<LogRecord>, records: readonly LogRecord[]) {
  const outcomes = await sink.write(batch(records))
  const position = String(++positions) as Position
  await sink.commit({ source: 'orders', position, timestamp: 0 })
  return outcomes
}

async function ids(target: Target): Promise<string[]> {
  return [...(await target.stored()).keys()].sort()
}

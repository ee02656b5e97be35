import type { LogRecord } from '../core/record.ts'
import type { Sink } from '../core/sink.ts'
import type { Check, Run } from './check.ts'
import { batch, put, remove, tombstone } from './records.ts'
import { apply, same, source, started } from './sink-steps.ts'

/** One target, empty at first, that sinks of the same name are opened on. */
export interface TargetUnderTest {
  /** Opens an instance; a second call is what a second process would do. */
  open(): Promise<Sink<LogRecord>> | Sink<LogRecord>
  /** What a user of the target sees: the JSON text of each document, by id. */
  stored(): Promise<ReadonlyMap<string, string>>
  /** Removes everything from the target behind the sink's back, checkpoint included. */
  wipe(): Promise<void>
  close(): Promise<void>
}

/** What a kind of sink promises beyond what all do. */
export interface Promises {
  /** Compares versions, so that an older record never replaces a newer one of another batch. */
  readonly versioned: boolean
  /** Remembers the version of a delete, so that an older record never revives the document. */
  readonly keepsDeletes: boolean
  /** What was written but not committed is gone after `resume`. */
  readonly transactional: boolean
}

type Body = (t: Check, target: TargetUnderTest) => Promise<void>

/** A kind of sink that is to be tested. */
export interface SinkUnderTest {
  /** Begins the name of each test. */
  readonly name: string
  readonly promises: Promises
  /** Makes an empty target, for one test. */
  readonly make: () => Promise<TargetUnderTest>
}

/**
 * What every sink keeps, whatever it writes to. Call it once for each kind of sink, with what runs
 * a test: `nodeRun` for node:test.
 */
export function sinkContract(run: Run, { name, promises, make }: SinkUnderTest): void {
  const promise = (sentence: string, body: Body) => {
    run(`${name} ${sentence}`, async (t) => {
      const target = await make()
      try {
        await body(t, target)
      } finally {
        await target.close()
      }
    })
  }
  checkpoints(promise)
  documents(promise)
  commits(promise)
  contents(promise)
  ownership(promise)
  generations(promise)
  if (promises.versioned) versions(promise)
  if (promises.keepsDeletes) deletes(promise)
  if (promises.transactional) transactions(promise)
}

type PromiseTest = (sentence: string, body: Body) => void

function checkpoints(promise: PromiseTest): void {
  promise('starts without a checkpoint', async (t, target) => {
    t.equal(await (await started(target)).from, undefined)
  })

  promise('remembers how far it came, also when opened again', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 })], 'at 1')
    await apply(sink, [put('10', { total: 6 }, { version: 2 })], 'at 2')
    t.equal(await sink.resume(source), 'at 2')
    await sink.close()
    t.equal((await started(target)).from, 'at 2')
  })

  promise('moves the checkpoint by a batch without records', async (t, target) => {
    const { sink } = await started(target)
    t.same(await apply(sink, [], 'idle 1'), [])
    await apply(sink, [put('10', { total: 5 })], 'busy')
    t.same(await apply(sink, [], 'idle 2'), [])
    t.equal(await sink.resume(source), 'idle 2')
    await same(t, target, { '10': '{"total":5}' })
  })

  promise('goes on writing after it resumed again', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 })], '1')
    await sink.resume(source)
    await apply(sink, [put('11', { total: 7 }, { version: 2 })], '2')
    await same(t, target, { '10': '{"total":5}', '11': '{"total":7}' })
    t.equal(await sink.resume(source), '2')
  })
}

function documents(promise: PromiseTest): void {
  promise('says what became of each record, in order', async (t, target) => {
    const { sink } = await started(target)
    const records = [
      put('10', { total: 5 }, { version: 1 }),
      put('11', { total: 7 }, { version: 2 }),
      put('10', { total: 6 }, { version: 3 }),
      remove('12', { version: 4 }),
    ]
    const outcomes = await apply(sink, records)
    t.equal(outcomes.length, records.length)
    t.ok(outcomes[0] === 'coalesced' || outcomes[0] === 'applied', 'the earlier of two states')
    t.same(outcomes.slice(1, 3), ['applied', 'applied'])
    t.equal(typeof outcomes[3], 'string', 'deleting what never was is no refusal')
    await same(t, target, { '10': '{"total":6}', '11': '{"total":7}' })
  })

  promise('stores the same records twice without a trace', async (t, target) => {
    const { sink } = await started(target)
    const records = [
      put('10', { total: 5 }, { version: 1 }),
      put('10', { total: 6 }, { version: 2 }),
      put('11', { total: 7 }, { version: 2, ordinal: 1 }),
      remove('11', { version: 3 }),
    ]
    await apply(sink, records)
    const outcomes = await apply(sink, records)
    t.ok(
      outcomes.every((outcome) => ['applied', 'stale', 'coalesced'].includes(String(outcome))),
      'a repeated record is applied again, or stale; it is never refused',
    )
    await same(t, target, { '10': '{"total":6}' })
  })

  promise('deletes, and deletes again', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 }), remove('10', { version: 2 })])
    await apply(sink, [remove('10', { version: 2 }), tombstone('10', { version: 2 })])
    await same(t, target, {})
    await apply(sink, [put('10', { total: 9 }, { version: 3 })])
    await same(t, target, { '10': '{"total":9}' })
    await apply(sink, [remove('10', { version: 4 })])
    await same(t, target, {})
  })

  promise('takes a tombstone as a delete', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 }), put('11', { total: 7 })])
    await apply(sink, [tombstone('10', { version: 2 })])
    await same(t, target, { '11': '{"total":7}' })
  })
}

function commits(promise: PromiseTest): void {
  promise('follows a key that changes inside one commit', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 })])
    await apply(sink, [
      remove('10', { version: 2, ordinal: 0 }),
      tombstone('10', { version: 2, ordinal: 1 }),
      put('11', { total: 5 }, { version: 2, ordinal: 2 }),
    ])
    await same(t, target, { '11': '{"total":5}' })
  })

  promise('swaps two keys inside one commit', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('1', { name: 'a' }), put('2', { name: 'b' })])
    await apply(sink, [
      remove('1', { version: 2, ordinal: 0 }),
      put('3', { name: 'a' }, { version: 2, ordinal: 1 }),
      remove('2', { version: 2, ordinal: 2 }),
      put('1', { name: 'b' }, { version: 2, ordinal: 3 }),
      remove('3', { version: 2, ordinal: 4 }),
      put('2', { name: 'a' }, { version: 2, ordinal: 5 }),
    ])
    await same(t, target, { '1': '{"name":"b"}', '2': '{"name":"a"}' })
  })
}

function contents(promise: PromiseTest): void {
  promise('keeps integers and decimals digit by digit', async (t, target) => {
    const { sink } = await started(target)
    const text =
      '{"big":9223372036854775807,"low":-9007199254740993,"price":"12345678901234567.890"}'
    await apply(sink, [put(9007199254740993n, text)])
    await same(t, target, { '9007199254740993': text })
  })

  promise('keeps nested documents and every kind of text', async (t, target) => {
    const { sink } = await started(target)
    const after = {
      text: 'line\nbreak "quoted" \\ back, tab\t, \u2028, naïve, 漢字, 🛒, \u0001',
      empty: '',
      none: null,
      nested: {
        items: [
          { name: 'a', tags: [] },
          { name: 'b', tags: ['x', null] },
        ],
      },
      yes: true,
    }
    await apply(sink, [put('10', after)])
    await same(t, target, { '10': JSON.stringify(after) })
  })

  promise('tells odd ids apart', async (t, target) => {
    const { sink } = await started(target)
    await apply(
      sink,
      oddIds.map((id, i) => put(id, { i }, { ordinal: i })),
    )
    await same(t, target, new Map(oddIds.map((id, i) => [id, `{"i":${i}}`])))
    await apply(
      sink,
      oddIds.map((id, i) => remove(id, { version: 2, ordinal: i })),
    )
    await same(t, target, {})
  })

  promise('tells composite keys apart', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [
      put({ a: 'x/y', b: 'z' }, { i: 1 }),
      put({ a: 'x', b: 'y/z' }, { i: 2 }, { ordinal: 1 }),
      put({ a: 'x%2Fy', b: 'z' }, { i: 3 }, { ordinal: 2 }),
    ])
    t.same([...(await target.stored()).values()].sort(), ['{"i":1}', '{"i":2}', '{"i":3}'])
  })
}

const oddIds = [
  'a/b',
  'a%2Fb',
  '../..',
  '"quoted"',
  "it's",
  'back\\slash',
  'two words',
  'a:b{c}*?',
  'line\nbreak',
  'ünïcödé',
  'u\u0308ni',
  '漢字🛒',
  '__proto__',
  'constructor',
  '-1',
  'A',
  'a',
  'é'.repeat(200),
]

function ownership(promise: PromiseTest): void {
  promise('is fenced by a second instance that resumed', async (t, target) => {
    const { sink: first } = await started(target)
    await apply(first, [put('10', { total: 5 })], '1')
    const { sink: second, from } = await started(target)
    t.equal(from, '1')
    await t.rejects(apply(first, [put('10', { total: 6 }, { version: 2 })], '2'), {
      code: 'FENCED',
    })
    await apply(second, [put('10', { total: 7 }, { version: 3 })], '3')
    await same(t, target, { '10': '{"total":7}' })
    t.equal(await second.resume(source), '3')
  })

  promise('is fenced before anything was committed, too', async (t, target) => {
    const { sink: first } = await started(target)
    const { sink: second } = await started(target)
    await t.rejects(apply(first, [], '1'), { code: 'FENCED' })
    await apply(second, [put('10', { total: 7 })], '2')
    t.equal(await second.resume(source), '2')
  })
}

function generations(promise: PromiseTest): void {
  promise('begins a new generation when cleared', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 }, { version: 8 }), put('11', {}, { version: 8 })])
    await apply(sink, [remove('11', { version: 9 })])
    await sink.clear(source)
    await same(t, target, {})
    await apply(
      sink,
      [put('10', { total: 1 }, { version: 2 }), put('11', {}, { version: 3 })],
      'new',
    )
    await same(t, target, { '10': '{"total":1}', '11': '{}' })
    t.equal(await sink.resume(source), 'new')
  })

  promise('has no checkpoint and no documents after it was cleared', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 })], '1')
    await sink.clear(source)
    await sink.close()
    t.equal((await started(target)).from, undefined)
    await same(t, target, {})
  })

  promise('fills a target again that was wiped while it was closed', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 }, { version: 8 })], '1')
    await sink.close()
    await target.wipe()
    const { sink: again, from } = await started(target)
    t.equal(from, undefined)
    await apply(again, [put('10', { total: 5 }, { version: 8 })], '1')
    await same(t, target, { '10': '{"total":5}' })
  })

  promise('notices that the target was wiped while it was running', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 })], '1')
    await target.wipe()
    await t.rejects(apply(sink, [put('11', { total: 6 }, { version: 2 })], '2'), {
      code: 'TARGET_CHANGED',
    })
    t.equal(await sink.resume(source), undefined)
    await apply(sink, [put('10', { total: 5 }), put('11', { total: 6 }, { version: 2 })], '2')
    await same(t, target, { '10': '{"total":5}', '11': '{"total":6}' })
  })
}

function versions(promise: PromiseTest): void {
  promise('never lets an older record overwrite a newer one of the batch', async (t, target) => {
    const { sink } = await started(target)
    const outcomes = await apply(sink, [
      put('10', { total: 6 }, { version: 2 }),
      put('10', { total: 5 }, { version: 1 }),
    ])
    t.equal(outcomes[0], 'applied')
    await same(t, target, { '10': '{"total":6}' })
  })

  promise('never lets an older record overwrite a newer one, batch by batch', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 6 }, { version: 2 })])
    t.same(await apply(sink, [put('10', { total: 5 }, { version: 1 })]), ['stale'])
    t.same(await apply(sink, [remove('10', { version: 1, ordinal: 1 })]), ['stale'])
    await same(t, target, { '10': '{"total":6}' })
  })

  promise('compares with what it wrote before it was opened again', async (t, target) => {
    const big = 2n ** 62n
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 6 }, { version: big + 1n })])
    await sink.close()
    const { sink: again } = await started(target)
    t.same(await apply(again, [put('10', { total: 5 }, { version: big })]), ['stale'])
    await same(t, target, { '10': '{"total":6}' })
  })

  promise('keeps an upsert when another key of the commit deletes its id', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put({ id: '10' }, { total: 5 })])
    await apply(sink, [
      put({ number: '10' }, { total: 6 }, { version: 2, ordinal: 0 }),
      remove({ id: '10' }, { version: 2, ordinal: 1 }),
    ])
    await same(t, target, { '10': '{"total":6}' })
    await apply(sink, [
      remove({ number: '10' }, { version: 3, ordinal: 0 }),
      put({ id: '10' }, { total: 7 }, { version: 3, ordinal: 1 }),
    ])
    await same(t, target, { '10': '{"total":7}' })
  })
}

function deletes(promise: PromiseTest): void {
  promise('lets a delete outlive an older record that comes later', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 }, { version: 1 }), remove('10', { version: 3 })])
    await apply(sink, [remove('11', { version: 3 })])
    const late = [put('10', { total: 6 }, { version: 2 }), put('11', {}, { version: 2 })]
    t.same(await apply(sink, late), ['stale', 'stale'])
    await sink.close()
    const { sink: again } = await started(target)
    t.same(await apply(again, late), ['stale', 'stale'])
    await same(t, target, {})
    t.same(await apply(again, [put('10', { total: 9 }, { version: 4 })]), ['applied'])
    await same(t, target, { '10': '{"total":9}' })
  })
}

function transactions(promise: PromiseTest): void {
  promise('forgets on resume what was not committed', async (t, target) => {
    const { sink } = await started(target)
    await apply(sink, [put('10', { total: 5 })], '1')
    await sink.write(
      batch([put('10', { total: 6 }, { version: 2 }), put('11', {}, { version: 2 })]),
    )
    t.equal(await sink.resume(source), '1')
    await same(t, target, { '10': '{"total":5}' })
    await sink.write(batch([remove('10', { version: 3 })]))
    await sink.close()
    t.equal((await started(target)).from, '1')
    await same(t, target, { '10': '{"total":5}' })
  })
}

import { test } from 'tap'
import { defineTopology } from '../../src/streams/stream-topology.ts'
import { testTopology } from '../../src/streams/test-topology.ts'
import { defineView } from '../../src/streams/view.ts'
import { session, tumbling } from '../../src/streams/windows.ts'
import { insert } from './changes.ts'
import { ViewRun } from './view-run.ts'

type Row = { id: number }

test('a step that works record by record is refused in a view, by its name', async (t) => {
  const view = defineView(({ table }) => table<Row>('rows').suppress(10))
  const run = new ViewRun({ view })
  await t.rejects(run.commit(insert('rows', { id: 1 })), {
    code: 'CONFIG_INVALID',
    message: /rows\.suppress\(\) cannot stand here: it works record by record/,
  })
})

test('a view has no output but itself', async (t) => {
  const view = defineView(({ table }) => {
    const rows = table<Row>('rows')
    rows.toStream().to('elsewhere')
    return rows
  })
  const run = new ViewRun({ view })
  await t.rejects(async () => run.commit(insert('rows', { id: 1 })), {
    code: 'CONFIG_INVALID',
    message: /rows\.toStream\(\) belongs to a view/,
  })
})

test('sessions need to know how two become one', async (t) => {
  const unmerged = defineTopology(({ stream }) => {
    stream<number>('in')
      .groupByKey()
      .windowedBy(session({ gapMs: 5 }))
      .aggregate({ init: () => 0, add: (a, b) => a + b })
  })
  t.throws(() => testTopology(unmerged), { message: /aggregate needs the function merge/ })
  const unadded = defineTopology(({ stream }) => {
    stream<number>('in')
      .groupByKey()
      .windowedBy(tumbling({ sizeMs: 5 }))
      .aggregate({ init: () => 0 })
  })
  t.throws(() => testTopology(unadded), { message: /aggregate needs the function add/ })
})

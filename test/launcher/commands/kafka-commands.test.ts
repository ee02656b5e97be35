import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'tap'
import { type KafkaProgram, kafkaProgram } from './kafka-program.ts'

const sqlite = '  one: {type: sqlite, from: $topic, path: one.db, table: numbers}'
const spread = { log: ', partitions: 2', topics: 'topics: {"__millrace.*": {partitions: 2}}' }

test('topics on Kafka are made as configured, and never changed', async (t) => {
  const { ask, topic, folder } = await kafkaProgram(t, { sinks: sqlite, log: ', partitions: 2' })
  t.match(await ask('plan', 'p.yaml', '--people'), {
    code: 2,
    output: new RegExp(`^\\+ topic ${topic}: is made once something is written to it`, 'm'),
  })
  const trial = await ask('create', 'p.yaml', '--dry')
  t.match(
    trial.json.find((each) => each.topic === topic),
    {
      did: 'waits',
      what: /^would be made with 2 partitions, .*cleanup: delete after 7 d$/,
    },
  )
  t.equal((await ask('create', 'p.yaml')).code, 0)
  const again = await ask('create', 'p.yaml')
  t.equal(again.code, 0)
  t.ok(again.json.every(({ did }) => did === 'exists'))
  const [shown] = (await ask('show', topic, 'p.yaml')).json
  t.match(shown, {
    ...{ topic, cleanup: 'delete after 7 d', start: 0, end: 0, replication: 1 },
    partitions: [
      { start: 0, end: 0 },
      { start: 0, end: 0 },
    ],
    settings: { 'cleanup.policy': 'delete', 'min.insync.replicas': '1' },
  })

  const text = readFileSync(join(folder, 'p.yaml'), 'utf8')
  const other = text.replace('partitions: 2', 'partitions: 3, replication: 2')
  const rules = `topics: {"${topic}": {retention.ms: 1000}}\n`
  writeFileSync(join(folder, 'p.yaml'), `${other}${rules}`)
  const plan = await ask('plan', 'p.yaml')
  t.equal(plan.code, 2)
  const differs = plan.json[0].changes.filter(({ change }: { change: string }) => {
    return change === 'differs'
  })
  t.match(
    differs.find(({ name }: { name: string }) => name === topic),
    {
      kind: 'topic',
      what: /^partitions is 2, not 3; replication is 1, not 2; retention\.ms is 6\d+, not 1000: it/,
    },
  )
  const refused = await ask('create', 'p.yaml')
  t.equal(refused.code, 2)
  t.match(
    refused.json.find((each) => each.topic === topic),
    { did: 'differs' },
  )
  t.equal((await ask('show', topic, 'p.yaml')).json[0].partitions.length, 2)
})

test('a sink of several partitions is verified, explained, mended and rewound', async (t) => {
  const program = await kafkaProgram(t, { sinks: sqlite, ...spread })
  const { ask, folder, prefix, topic } = program
  await program.run()
  const table = `__millrace.${prefix}.table.${topic}`
  await untilVerified(program)
  t.match((await ask('verify', 'p.yaml', 'one')).json, [
    { documents: { topic: 10, sink: 10 }, compared: 10, differences: [], offset: /^0:\d+ 1:\d+$/ },
  ])
  t.match((await ask('explain', 'p.yaml', 'one', '3')).json, [
    { id: '3', verdict: 'agree', records: [{ topic }, { topic: table, version: '3' }] },
  ])

  const db = new DatabaseSync(join(folder, 'one.db'))
  db.exec(`DELETE FROM numbers WHERE id = '3'; UPDATE numbers SET doc = '{}' WHERE id = '4'`)
  db.close()
  const mended = await ask('verify', 'p.yaml', 'one', '--repair')
  t.match(
    mended.json[0].differences.map(({ id, kind, mended }: Record<string, unknown>) => {
      return [id, kind, mended]
    }),
    [
      ['4', 'different', true],
      ['3', 'missing', true],
    ],
  )
  t.match((await ask('verify', 'p.yaml', 'one')).json, [{ differences: [] }])

  const trial = await ask('rewind', 'p.yaml', 'one', 'beginning', '--dry')
  t.match(
    trial.output,
    new RegExp(`^one: from offset \\d+ to offset 0 of ${table}/1, which has`, 'm'),
  )
  t.match(await ask('rewind', 'p.yaml', 'one', '@1/1'), {
    code: 0,
    output: /\none: goes on from offset 1 of partition 1; what it holds stays/,
  })
  t.match(await ask('rewind', 'p.yaml', 'one', '@900'), {
    code: 1,
    output: /900 is not one of them/,
  })
  t.match(await ask('rewind', 'p.yaml', 'one', '3'), { code: 1, output: /give --to-offset/ })
  t.match(await ask('rewind', 'p.yaml', 'one', 'end'), { code: 0 })
  await untilGroup(program, `${prefix}.one.${topic}`)
  const [offsets] = (await ask('offsets', 'p.yaml')).json
  t.match(offsets.writers, [{ writer: `${prefix}.${prefix}c`, position: '10' }])
  t.match(
    offsets.groups.map(({ group, behind, members }: Record<string, unknown>) => {
      return { group, behind, members }
    }),
    [
      { group: `${prefix}.one.${topic}`, behind: 0, members: [/^t\w+ at 127/] },
      { group: `${prefix}.views`, behind: 0 },
    ],
  )
})

test('positions are set, and views reset, while nothing runs', async (t) => {
  const program = await kafkaProgram(t, { sinks: sqlite })
  const { ask, prefix } = program
  await program.run()
  await untilVerified(program)
  t.match(await ask('set', 'p.yaml', `${prefix}c`, '7'), { code: 1 }, 'it runs')
  await program.stop()
  t.match(await ask('set', 'p.yaml', `${prefix}c`, '10'), {
    code: 0,
    output: `${prefix}c: from 10 to 10\n`,
  })
  t.match(await ask('rewind', 'p.yaml', 'views', 'beginning'), {
    code: 0,
    output: 'views: all views are built anew from the log at the next start\n',
  })
  t.match(await ask('plan', 'p.yaml', '--people'), { code: 2, output: /all views are built anew/ })
  await program.run()
  await untilVerified(program)
})

test('topics are copied to Kafka and back, with versions and positions', async (t) => {
  const program = await kafkaProgram(t, { sinks: sqlite, log: ', partitions: 2' })
  const { ask, prefix, topic, folder } = program
  const text = (log: string) => `name: ${prefix}
log: ${log}
connectors: {${prefix}c: {type: counter}}
sinks: {one: {type: sqlite, from: ${topic}, path: one.db, table: numbers}}
`
  const write = (name: string, log: string) => {
    const file = join(folder, name)
    writeFileSync(file, text(log))
    return file
  }
  await program.run()
  await untilVerified(program)
  await program.stop()
  const back = write('back.yaml', '{type: embedded, path: back}')
  const copied = await ask('copy', join(folder, 'p.yaml'), back)
  t.equal(copied.code, 0, copied.output)
  t.same(copied.json, [
    { topic, records: 10 },
    { connector: `${prefix}c`, position: 'copied', what: 'goes on here from where it was there' },
  ])
  t.match((await ask('copy', join(folder, 'p.yaml'), back)).json[0], { records: 0 })
  const { writers } = (await ask('offsets', back)).json[0]
  t.match(
    writers.find(({ writer }: { writer: string }) => writer === `${prefix}.${prefix}c`),
    { position: '10' },
  )
  const numbers = Array.from({ length: 10 }, (_, i) => i + 1)
  t.same(
    (await records(program, back)).map(({ version, timestamp, key }) => [version, timestamp, key]),
    numbers.map((n) => [String(n), 1_700_000_000_000 + n, { id: n }]),
  )

  const again = join(folder, 'again.yaml')
  const renamed = text(`{type: kafka, brokers: "${program.bootstrap}", path: again}`)
  writeFileSync(again, renamed.replace(`name: ${prefix}`, `name: ${prefix}x`))
  const forth = await ask('copy', back, again, `${topic}`)
  t.match(forth, { code: 0, json: [{ topic, records: 10 }] })
  t.equal((await records(program, again)).length, 20, 'those that were there, and the copies')
})

async function records({ ask, topic }: KafkaProgram, file: string) {
  const { json } = await ask('tap', topic, file)
  return json as readonly { version: string; timestamp: number; key: { id: number } }[]
}

async function untilVerified({ ask }: KafkaProgram): Promise<void> {
  for (;;) {
    const { json } = await ask('verify', 'p.yaml', 'one')
    if (json[0]?.documents?.sink === 10 && json[0].pending === 0) return
  }
}

/** Offsets are committed to a group now and then. */
async function untilGroup({ ask }: KafkaProgram, wanted: string): Promise<void> {
  for (;;) {
    const [{ groups }] = (await ask('offsets', 'p.yaml')).json
    if (groups.find(({ group }: { group: string }) => group === wanted)?.behind === 0) return
  }
}

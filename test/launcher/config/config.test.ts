import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { loadConfig } from '../../../src/launcher/config/config.ts'
import { showFault } from '../../../src/launcher/config/fault.ts'
import { dollar, standIns } from '../stand-ins.ts'

const head = `name: shop
connectors:
  shop:
    type: postgres
    url: postgres://app:hush@db/shop
    tables: [public.orders, public.customers]
`
const headLines = head.split('\n').length - 1

interface Case {
  readonly what: string
  /** Follows `head`, so its first line is line 7. */
  readonly tail?: string
  /** In place of `head` and `tail`. */
  readonly text?: string
  readonly faults: readonly string[]
}

const cases: readonly Case[] = [
  {
    what: 'an unknown option, with the one that was meant',
    tail: '    snapshoot: never\n',
    faults: ['7:5: connectors.shop.snapshoot: is not an option; did you mean snapshot?'],
  },
  {
    what: 'an unknown option like no other, with all there are',
    tail: '    zzzzz: 1\n',
    faults: [
      '7:5: connectors.shop.zzzzz: is not an option; there is url, tables, topic.prefix, snapshot, batch, waitMs, tls, type',
    ],
  },
  {
    what: 'an unknown section',
    tail: 'sink: {}\n',
    faults: ['7:1: sink: is not an option; did you mean sinks?'],
  },
  {
    what: 'faults of topics and of the cap',
    tail: "log: {cap: 120%}\ntopics:\n  'shop.*': {cleanup.polcy: compact, retention.ms: 1 day}\n",
    faults: [
      '7:12: log.cap: must be a share such as 80%, not "120%"',
      '9:14: topics["shop.*"].cleanup.polcy: is not an option; did you mean cleanup.policy?',
      '9:52: topics["shop.*"].retention.ms: must be a number, not "1 day"',
    ],
  },
  {
    what: 'a value that is none of those allowed',
    tail: '    snapshot: inital\n',
    faults: [
      '7:15: connectors.shop.snapshot: must be one of initial, never, always, not "inital"; did you mean initial?',
    ],
  },
  {
    what: 'values of another type',
    tail: '    batch: many\n    tls: 1\n    waitMs: 0\n',
    faults: [
      '7:12: connectors.shop.batch: must be a number, not "many"',
      '8:10: connectors.shop.tls: must be true or false, not 1',
      '9:13: connectors.shop.waitMs: must be more than 0, not 0',
    ],
  },
  {
    what: 'a number that is no whole number, and one that is too large',
    tail: '    batch: 1.5\n  two: {type: postgres, url: x, tables: [a.b], batch: 20000}\n',
    faults: [
      '7:12: connectors.shop.batch: must be a whole number, not 1.5',
      '8:55: connectors.two.batch: must be at most 10000, not 20000',
    ],
  },
  {
    what: 'a text of another form',
    tail: '    topic.prefix: Shop!\n',
    faults: [
      '7:19: connectors.shop.topic.prefix: must be a text that matches /^[a-z_]+$/, not "Shop!"',
    ],
  },
  {
    what: 'an option without a value',
    tail: '    topic.prefix:\n',
    faults: ['7:18: connectors.shop.topic.prefix: must be a text, not empty'],
  },
  {
    what: 'an item of a list',
    text: 'name: a\nconnectors:\n  a:\n    type: postgres\n    url: x\n    tables:\n      - public.a\n      - 5\n',
    faults: ['8:9: connectors.a.tables[1]: must be a text, not 5'],
  },
  {
    what: 'a list that is empty, and one that is no list',
    text: 'name: a\nconnectors:\n  a: {type: postgres, url: x, tables: []}\n  b: {type: postgres, url: x, tables: public.b}\n',
    faults: [
      '3:39: connectors.a.tables: must be a list that is not empty, not an empty list',
      '4:39: connectors.b.tables: must be a list, not "public.b"',
    ],
  },
  {
    what: 'options that are missing, where their part stands',
    text: 'name: a\nconnectors:\n  a: {type: postgres}\n',
    faults: [
      '3:3: connectors.a.url: is missing: Where the server is.',
      '3:3: connectors.a.tables: is missing: Which tables to read.',
    ],
  },
  {
    what: 'a type that does not exist',
    tail: 'sinks:\n  find: {type: elasticserch, from: shop.public.orders}\n',
    faults: [
      '8:16: sinks.find.type: there is no sink of type "elasticserch"; did you mean elasticsearch?',
    ],
  },
  {
    what: 'a part without a type, and one that is no mapping',
    tail: 'sinks:\n  one: {from: shop.public.orders}\n  two: elasticsearch\n',
    faults: [
      '8:3: sinks.one.type: is missing: a text',
      '9:8: sinks.two: must be a mapping, not "elasticsearch"',
    ],
  },
  {
    what: 'a sink that reads what nobody writes',
    tail: 'sinks:\n  find: {type: elasticsearch, url: "http://e", from: shop.public.order}\n',
    faults: [
      '8:54: sinks.find.from: there is no view or topic "shop.public.order"; did you mean shop.public.orders?',
    ],
  },
  {
    what: 'a sink of which one source is wrong',
    tail: 'sinks:\n  find: {type: elasticsearch, url: "http://e", from: [shop.public.orders, x]}\n',
    faults: [
      '8:75: sinks.find.from[1]: there is no view or topic "x"; there is shop.public.orders, shop.public.customers',
    ],
  },
  {
    what: 'a sink that reads nothing',
    tail: 'sinks:\n  find: {type: elasticsearch, url: "http://e"}\n',
    faults: ['8:3: sinks.find.from: is missing: the view or topic to read, or a list of them'],
  },
  {
    what: 'an unknown option of a sink that looks like one of the frame',
    tail: 'sinks:\n  find: {type: elasticsearch, url: "http://e", form: x, from: shop.public.orders}\n',
    faults: ['8:48: sinks.find.form: is not an option; did you mean from?'],
  },
  {
    what: 'something in one of several forms that an option may have',
    tail: 'sinks:\n  find: {type: elasticsearch, url: "http://e", auth: {user: u, pasword: p}, from: shop.public.orders}\n',
    faults: [
      '8:48: sinks.find.auth.password: is missing: The password.',
      '8:64: sinks.find.auth.pasword: is not an option; did you mean password?',
    ],
  },
  {
    what: 'a text that is no URL',
    tail: 'sinks:\n  find: {type: elasticsearch, url: nowhere, from: shop.public.orders}\n',
    faults: ['8:36: sinks.find.url: must be a URL, not "nowhere"'],
  },
  {
    what: 'names that are no names',
    tail: 'views:\n  My View: {module: views.ts}\n',
    faults: [
      '8:3: views["My View"]: must be made of a-z, 0-9, - and _',
      '8:21: views["My View"].module: there is no file ',
    ],
  },
  {
    what: 'a name of the pipeline that is no name',
    text: head.replace('name: shop', 'name: My shop'),
    faults: ['1:7: name: must be a text that matches /^[a-z0-9_-]+$/, not "My shop"'],
  },
  {
    what: 'two connectors that would write the same topics',
    tail: '  copy: {type: postgres, url: x, tables: [a.b], topic.prefix: shop}\n',
    faults: [
      '7:3: connectors.copy: has the same topic prefix as shop, shop: set another `topic.prefix`',
    ],
  },
  {
    what: 'a view whose module is not there',
    tail: 'views:\n  orders: {module: ./none.ts}\n',
    faults: ['8:20: views.orders.module: there is no file '],
  },
  {
    what: 'a view with an unknown option',
    tail: 'views:\n  orders: {modul: views.ts}\n',
    faults: [
      '8:3: views.orders.module: is missing: The file that exports the view.',
      '8:12: views.orders.modul: is not an option; did you mean module?',
    ],
  },
  {
    what: 'a name given twice, and what else is wrong',
    tail: '    url: y\n    batch: 0\n',
    faults: [
      '7:5: connectors.shop.url: is given twice',
      '8:12: connectors.shop.batch: must be at least 1, not 0',
    ],
  },
  {
    what: 'a text that is no YAML',
    text: 'name: shop\nconnectors: [a\nviews: {}\n',
    faults: ['3:1: not valid YAML: '],
  },
  {
    what: 'a tab for indentation',
    text: 'name: shop\nconnectors:\n\tshop: {}\n',
    faults: ['3:1: not valid YAML: tabs are not allowed as indentation'],
  },
  {
    what: 'two documents',
    text: `${head}---\nname: other\n`,
    faults: ['7:1: one document only: a line of `---` begins another'],
  },
  {
    what: 'a tag',
    tail: '    topic.prefix: !env X\n',
    faults: ['7:19: tags (!name) have no meaning here'],
  },
  {
    what: 'an alias of nothing',
    tail: '    topic.prefix: *nothing\n',
    faults: ['7:19: no anchor (&name) of this name stands before this alias'],
  },
  {
    what: 'aliases that multiply',
    text: `a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c, *c]\n`,
    faults: ['2:8: more than 100 aliases (*name) are not followed'],
  },
  {
    what: 'a merge key, which would change what stands where',
    tail: '    <<: {batch: 5}\n',
    faults: ['7:5: connectors.shop["<<"]: is not an option; '],
  },
  {
    what: 'a name that would reach a prototype',
    tail: '    __proto__: {batch: 5}\n    constructor: 1\n',
    faults: [
      '7:5: connectors.shop.__proto__: is not an option; ',
      '8:5: connectors.shop.constructor: is not an option; ',
    ],
  },
  {
    what: 'an empty file',
    text: '',
    faults: ['1:1: must be a mapping, not empty'],
  },
  {
    what: 'a configuration without connectors',
    text: 'name: shop\nconnectors: {}\n',
    faults: ['2:1: connectors: must name at least one connector'],
  },
  {
    what: 'a log of another kind',
    text: `log: {type: pulsar}\n${head}`,
    faults: ['1:13: log.type: must be one of embedded, kafka, not "pulsar"'],
  },
  {
    what: 'variables that are missing or not finished, where they stand',
    tail: `    topic.prefix: "a${dollar}{NO_PREFIX}b"\n    snapshot: ${dollar}{\n`,
    faults: [
      '7:21: connectors.shop.topic.prefix: needs the environment variable NO_PREFIX, which is not set',
      `8:15: connectors.shop.snapshot: has "${dollar}{" without a name and "}" after it`,
    ],
  },
  {
    what: 'a variable like one that is set',
    tail: `    topic.prefix: ${dollar}{PREFX}\n`,
    faults: [
      '7:19: connectors.shop.topic.prefix: needs the environment variable PREFX, which is not set; did you mean PREFIX?',
    ],
  },
  {
    what: 'a wrong value from the environment, as it is written and not as it is',
    tail: `    batch: ${dollar}{SECRET_WORD}\n`,
    faults: [`7:12: connectors.shop.batch: must be a number, not ${dollar}{SECRET_WORD}`],
  },
]

const environment = { PREFIX: 'shop', SECRET_WORD: 'hush-hush', BATCH: '50', TLS: 'true' }

for (const { what, text, tail = '', faults } of cases) {
  test(`points at ${what}`, async (t) => {
    const loaded = load(t.testdir({}), text ?? head + tail)
    const found = loaded.ok ? [] : loaded.faults.map((fault) => showFault({ ...fault, file: 'f' }))
    t.equal(found.length, faults.length, found.join('\n'))
    for (const [i, fault] of faults.entries()) {
      t.ok(found[i]?.startsWith(`f:${fault}`), `${found[i]} begins with ${fault}`)
    }
  })
}

test('all faults are found at once, in the order of the text', async (t) => {
  const text = `${head.replace('tables', 'tabels')}    batch: 0\nsinks:\n  find: {type: redsi}\nlog: {pth: x}\n`
  const loaded = load(t.testdir({}), text)
  const lines = loaded.ok ? [] : loaded.faults.map(({ line }) => line)
  t.same(lines, [3, headLines, headLines + 1, headLines + 3, headLines + 4])
})

test('a connector that cannot be made of its options is a fault', async (t) => {
  const broken = {
    ...standIns.connectors[0]!,
    open: () => {
      throw new TypeError('Invalid URL')
    },
  }
  const file = join(t.testdir({ 'p.yaml': head }), 'p.yaml')
  const loaded = loadConfig(file, { ...standIns, connectors: [broken] }, {})
  const fault = { line: 3, column: 3, path: 'connectors.shop', what: 'Invalid URL' }
  t.match(loaded, { ok: false, faults: [fault] })
})

test('a file that cannot be read is a fault', async (t) => {
  const loaded = loadConfig(join(t.testdir({}), 'none.yaml'), standIns, {})
  t.match(loaded, { ok: false, faults: [{ line: 1, column: 1, what: /cannot be read: ENOENT/ }] })
})

test('a right configuration is complete, absolute, and frozen throughout', async (t) => {
  const folder = t.testdir({ 'views.ts': 'export {}' })
  const tail =
    'views:\n  orders: {module: ./views.ts}\nsinks:\n  find: {type: elasticsearch, url: "http://e", from: [orders, shop.orders.dlq]}\n'
  const loaded = load(folder, head + tail)
  if (!loaded.ok) throw new Error(loaded.faults.map(showFault).join('\n'))
  const { config } = loaded
  t.match(config, {
    name: 'shop',
    log: { type: 'embedded', path: join(folder, 'data/shop') },
    connectors: [{ name: 'shop', options: { snapshot: 'initial', batch: 1000, tls: false } }],
    views: [{ name: 'orders', module: join(folder, 'views.ts') }],
    sinks: [
      {
        name: 'find',
        from: [
          { kind: 'view', view: 'orders', topic: 'shop.orders' },
          { kind: 'topic', topic: 'shop.orders.dlq' },
        ],
      },
    ],
  })
  for (const value of [config, config.log, config.connectors, config.connectors[0]?.options])
    t.ok(Object.isFrozen(value))
})

test('what comes from the environment becomes what the option wants', async (t) => {
  const tail =
    '    batch: ' +
    dollar +
    '{BATCH}\n    tls: ' +
    dollar +
    '{TLS}\n    topic.prefix: ' +
    dollar +
    '{NONE:-web}\n'
  const loaded = load(t.testdir({}), head + tail)
  t.match(loaded, {
    ok: true,
    config: { connectors: [{ options: { batch: 50, tls: true, 'topic.prefix': 'web' } }] },
  })
})

test('a variable never changes the structure of the text', async (t) => {
  const text = head.replace('postgres://app:hush@db/shop', `${dollar}{URL}`)
  const url = 'x\n    batch: 5 # {a: [b'
  const loaded = load(t.testdir({}), text, { URL: url })
  t.match(loaded, { ok: true, config: { connectors: [{ options: { url, batch: 1000 } }] } })
})

test('an alias stands for what its anchor does', async (t) => {
  const text =
    head.replace('[public', '&tables [public') +
    '  two: {type: postgres, url: x, tables: *tables}\n'
  const loaded = load(t.testdir({}), text)
  t.match(loaded, {
    ok: true,
    config: { connectors: [{}, { options: { tables: ['public.orders', 'public.customers'] } }] },
  })
})

test('with patterns for tables, any topic may come to be', async (t) => {
  const text = head.replace('public.orders,', 'public.*,')
  const tail =
    'sinks:\n  find: {type: elasticsearch, url: "http://e", from: shop.public.anything}\n'
  t.match(load(t.testdir({}), text + tail), { ok: true })
})

function load(folder: string, text: string, variables = environment as Record<string, string>) {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'pipeline.yaml')
  writeFileSync(file, text)
  return loadConfig(file, standIns, variables)
}

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test, test } from 'tap'
import { until } from '../../e2e/pipeline.ts'
import { type Documents, inIndex } from '../../e2e/targets.ts'
import { useElasticsearch, useOpensearch } from '../../support/servers/use.ts'
import { type Child, standInCli, start } from '../child.ts'

t.setTimeout(300_000) // Two cores that also compile make a server slow.

for (const [product, use] of [
  ['Elasticsearch', useElasticsearch],
  ['OpenSearch', useOpensearch],
] as const) {
  test(`an index of ${product} is exchanged for one with another mapping, while it serves`, async (t) => {
    const { index, reindex, configure, run, ask, holds } = await begin(t, (await use(t)).url)
    configure('mapping: {id: {type: keyword}}')
    let pipeline = run()
    await holds(20)
    pipeline.kill('SIGKILL')
    await pipeline.ended
    configure('mapping: {id: {type: long}}')
    pipeline = run()
    await pipeline.said(/it: paused: TARGET_MISCONFIGURED: .*millrace reindex/s)

    const { code, output } = await reindex()
    t.equal(code, 0, output)
    t.match(output, `${index}-r2 serves as ${index} now; ${index}-r1 is kept`)
    t.match(await ask('GET', '_mapping'), '"id":{"type":"long"}')
    t.equal(Object.keys(await holds(20)).length, 20)
    t.match((await reindex('status')).output, 'nothing is being filled')
    await pipeline.said(/go(es)? on from there/)
  })

  test(`what comes after the exchange reaches the new index of ${product}, and the old one after a rollback`, async (t) => {
    const { index, reindex, change, run, ask, url, holds } = await begin(t, (await use(t)).url)
    run()
    await holds(20)
    t.equal((await reindex()).code, 0)
    change()
    t.notOk('3' in (await holds(19)))
    t.ok('3' in (await inIndex(url, `${index}-r1`)), 'the one that is kept stays as it was')
    t.match((await reindex('rollback')).output, `${index}-r1 serves as ${index} again`)
    t.notOk('3' in (await holds(19)))
    t.match(await ask('GET', '_alias'), `${index}-r1`)
    t.equal((await reindex()).code, 0, 'and it can be exchanged again')
    t.match((await reindex('finish')).output, `${index}-r1 was removed`)
    t.same(await holds(19), await inIndex(url, `${index}-r2`))
  })
}

test('an index is exchanged for one with other ids and fields, while it serves', async (t) => {
  const { index, reindex, configure, run, holds } = await begin(t, (await useElasticsearch(t)).url)
  const before = 'reshaped: pause'
  const after = "reshaped: pause, id: 'n-{id}', fields: {rename: {id: number}}"
  configure(before)
  let pipeline = run()
  const old = await holds(20)
  const again = async (options: string) => {
    pipeline.kill('SIGKILL')
    await pipeline.ended
    configure(options)
    pipeline = run()
  }
  await again(after)
  await pipeline.said(/it: paused: TARGET_MISCONFIGURED: .*millrace reindex/s)
  t.same(await holds(20), old, 'it serves as it is')
  const { code, output } = await reindex()
  t.equal(code, 0, output)
  t.match((await holds(20))['n-1'], { number: 1 })
  await pipeline.said(/go(es)? on from there/)

  t.match((await reindex('rollback')).output, `${index}-r1 serves as ${index} again`)
  t.same(await holds(20), old)
  await again(before)
  await pipeline.said(/go(es)? on from there/)
  t.same(await holds(20), old)
})

test('an index that is being filled goes on being filled after a crash', async (t) => {
  const { index, reindex, run, url, holds } = await begin(t, (await useElasticsearch(t)).url)
  let pipeline = run()
  await holds(20)
  const begun = start(standInCli, ['reindex', 'p.yaml', 'it'], { cwd: t.testdirName })
  await begun.said(/is filled beside/)
  pipeline.kill('SIGKILL')
  await begun.ended
  pipeline = run()
  await pipeline.said(/it: running/)
  t.match((await reindex('status')).output, /since \d{4}-/)
  t.equal((await reindex()).code, 0)
  t.equal(Object.keys(await inIndex(url, `${index}-r2`)).length, 20)
})

test('a new index is removed without a trace before it serves', async (t) => {
  const { index, reindex, run, url, holds } = await begin(t, (await useElasticsearch(t)).url)
  run()
  await holds(20)
  const begun = start(standInCli, ['reindex', 'p.yaml', 'it', 'status'], { cwd: t.testdirName })
  await begun.ended
  t.match((await reindex('cancel')).output, `${index}-r2 was removed; ${index} serves as before`)
  t.same(await inIndex(url, `${index}-r2`), {})
  t.match((await reindex('rollback')).output, 'No index that served before is kept')
  await holds(20)
})

/** A pipeline of its own name, so that it shares no checkpoint with other tests. */
async function begin(t: Test, url: string) {
  const name = `r${randomBytes(4).toString('hex')}`
  const index = `reindex-${name}`
  const folder = t.testdir({})
  const file = join(folder, 'again')
  const children: Child[] = []
  const configure = (more = '') => {
    const sink = [
      ...['type: elasticsearch', `url: '${url}'`, `index: ${index}`, 'from: c.numbers'],
      ...['settings: {number_of_shards: 2, number_of_replicas: 0}', ...(more ? [more] : [])],
    ]
    const connector = `{type: counter, until: 20, again: '${file}'}`
    const text = `name: ${name}\nconnectors:\n  c: ${connector}\nsinks:\n  it: {${sink.join(', ')}}\n`
    writeFileSync(join(folder, 'p.yaml'), text)
  }
  configure()
  t.teardown(async () => {
    for (const child of children) child.kill('SIGKILL')
    for (const end of ['', '-r1', '-r2', '-r3']) {
      await fetch(`${url}/${index}${end}`, { method: 'DELETE' })
    }
  })
  return {
    ...{ index, url, configure },
    run() {
      const child = start(standInCli, ['p.yaml'], { cwd: folder })
      children.push(child)
      return child
    },
    async reindex(order = '') {
      const child = start(standInCli, ['reindex', 'p.yaml', 'it', order], { cwd: folder })
      const code = await child.ended
      return { code, output: child.output() }
    },
    /** Changes three rows: the third is deleted. */
    change: () => writeFileSync(file, ''),
    async ask(method: string, path: string) {
      return (await fetch(`${url}/${index}/${path}`, { method })).text()
    },
    async holds(count: number): Promise<Documents> {
      let documents: Documents = {}
      const isSo = async () => {
        documents = await inIndex(url, index)
        return Object.keys(documents).length === count
      }
      await until(isSo, () => JSON.stringify([documents, children.map((c) => c.output())]))
      return documents
    },
  }
}

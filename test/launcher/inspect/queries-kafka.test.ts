import t, { type Test } from 'tap'
import { serveHttp } from '../../../src/launcher/inspect/console.ts'
import type { Status } from '../../../src/launcher/inspect/status.ts'
import type { Routes } from '../../../src/streams/routes.ts'
import { Topology } from '../../../src/streams/topology.ts'
import { append } from '../../log/kafka/change.ts'
import { directoryOf, openLogIn } from '../../log/kafka/open.ts'
import { useKafka } from '../../support/servers/use.ts'
import { runShop, shopRecord, shopTopology } from '../run/stream-shop.ts'

const { bootstrap, prefix } = await useKafka(t)

interface Instance {
  get(path: string): Promise<Response>
  stop(): Promise<void>
}

async function startInstance(t: Test, own: string, tasks: number): Promise<Instance> {
  const given = { partitions: 3, sessionTimeoutMs: 6_000 }
  const log = openLogIn(directoryOf(t), bootstrap, own, given)
  const routes: Routes = {
    '/pages/{page}': ({ page }, store) => store('counts').get(`/${page}`) ?? 0,
  }
  const topology = shopTopology(own, { tasks, routes })
  const running = runShop(log, own, topology)
  const asked = {
    ...{ parts: running.parts, log, topology: new Topology(own, {}) },
    status: async () => ({}) as Status,
  }
  const http = await serveHttp({ host: '127.0.0.1', port: 0, token: 'sesame' }, asked)
  log.url = http.url
  const headers = { authorization: 'Bearer sesame' }
  return {
    get: (path) => fetch(http.url + path, { headers }),
    stop: async () => {
      await http.close()
      await running.stop()
    },
  }
}

for (const tasks of [1, 4]) {
  t.test(`any instance answers for any key; tasks: ${tasks}`, async (t) => {
    const own = `${prefix}q${tasks}`
    const log = openLogIn(directoryOf(t), bootstrap, own, { partitions: 3 })
    const writer = log.writer(`${own}.w`)
    await writer.resume('s')
    const clicks = Array.from({ length: 60 }, (_, i) => {
      return shopRecord(own, 'clicks', [i + 1, i, `/${i % 12}`])
    })
    await append(writer, clicks, '1')
    const one = await startInstance(t, own, tasks)
    const two = await startInstance(t, own, tasks)
    const both = [one, two]
    // One of them has each key; asked for at least what was written, both have the same answer.
    for (const instance of both) {
      await eventually(t, async () => {
        const found = await instance.get('/stores/counts?limit=50&atLeast=1')
        return found.status === 200 && ((await found.json()) as unknown[]).length === 12
      })
      for (let page = 0; page < 12; page++) {
        const path = `/stores/counts/${encodeURIComponent(`"/${page}"`)}?atLeast=1`
        // While keys move to the other instance a copy answers, and says so.
        await eventually(t, async () => {
          const answer = await instance.get(path)
          t.same([answer.status, await answer.text()], [200, '5\n'])
          return answer.headers.get('millrace-stale-ms') === null
        })
      }
      t.equal(await (await instance.get('/shop/pages/7')).text(), '5\n')
      t.equal(await (await instance.get('/shop/pages/77')).text(), '0\n')
      t.equal((await instance.get('/stores/counts/%22none%22')).status, 404)
    }
    // A write is seen by who asks either of them.
    await append(writer, [shopRecord(own, 'clicks', [61, 99, '/7'])], '2')
    const counts = await Promise.all(
      both.map(async (each) => (await each.get('/shop/pages/7?atLeast=2')).text()),
    )
    t.same(counts, ['6\n', '6\n'])
    await one.stop()
    await eventually(t, async () => (await two.get('/shop/pages/7')).status === 200)
    await two.stop()
    await log.close()
  })
}

async function eventually(t: Test, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) if (await isSo()) return
  t.fail('it did not come about')
}

import { type ChildProcess, spawn } from 'node:child_process'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { Lease } from '../../../sinks/elasticsearch/lease.ts'
import { MillraceError } from '../../../src/core/errors.ts'
import { until } from '../../e2e/pipeline.ts'
import { collect } from '../../support/collect.ts'
import { batch, remove } from '../../support/records.ts'
import { useElasticsearch } from '../../support/servers/use.ts'
import { makeTarget } from './target.ts'

test('a lease is looked after once it is over, and not before', async (t) => {
  let looks = 0
  const lease = new Lease(50, async () => void looks++)
  lease.renew(performance.now())
  await lease.assert()
  t.equal(looks, 0)
  lease.renew(performance.now() - 60)
  await Promise.all([lease.assert(), lease.assert()])
  t.equal(looks, 1)
})

test('who has lost the lease writes nothing', async (t) => {
  const lease = new Lease(50, async () => {
    throw new MillraceError('FENCED', 'Taken over.')
  })
  await t.rejects(lease.assert(), { code: 'FENCED' })
})

test('a process that was stopped while another took over sends nothing stale', async (t) => {
  const { url } = await useElasticsearch(t)
  const target = await makeTarget(url)
  t.teardown(() => target.close())
  const proxy = await bulkCounter(t, url)
  const place = { pipeline: target.index, name: 'search', topic: 'orders', partition: 0 }
  // The server forgets a delete at once, so that its version alone would protect nothing.
  const options = { url: proxy.url, index: target.index, leaseMs: 300, gcDeletes: '1ms' }
  const child = await start(t, { options, place })
  await child.says('writing')
  child.process.kill('SIGSTOP')
  await sleep(500)

  const other = target.open()
  await other.resume('orders')
  await other.write(batch([remove('1', { version: 20_000 })]))
  await other.commit({ source: 'orders', position: 'other' as never, timestamp: 0 })
  await sleep(1_200)
  await target.ask('POST', `/${target.index}/_refresh`)
  const before = proxy.bulks()
  child.process.kill('SIGCONT')
  await child.says('FENCED')
  t.equal(proxy.bulks(), before, 'not one request more')
  t.equal((await target.stored()).size, 0)
})

interface Child {
  readonly process: ChildProcess
  /** Waits for a line. */
  says(line: string): Promise<void>
}

async function start(t: Test, input: object): Promise<Child> {
  const path = new URL('stopped-writer.ts', import.meta.url).pathname
  const args = ['--conditions=millrace-source', path, JSON.stringify(input)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  return {
    process: child,
    says: (line) =>
      until(
        () => lines.includes(line),
        () => lines.join(', '),
      ),
  }
}

/** Passes everything on, and counts what would write documents. */
async function bulkCounter(t: Test, target: string) {
  let bulks = 0
  const server = createServer(async (incoming, outgoing) => {
    if (incoming.url?.includes('/_bulk')) bulks++
    const { method, url, headers } = incoming
    const passed = request(new URL(url!, target), { method: method!, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    passed.on('error', () => outgoing.destroy())
    passed.end(Buffer.concat(await collect<Buffer>(incoming)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bulks: () => bulks }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { launch, removeFolder, serverFolder } from './launch.ts'
import { freePort } from './ports.ts'

t.test('servers die with the process that started them, however it dies', async (t) => {
  const fixture = join(import.meta.dirname, 'fixtures', 'dies-with-servers.ts')
  const parent = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface(parent.stdout), 'line')
  const { pids, folder } = JSON.parse(line) as { pids: readonly number[]; folder: string }
  t.equal(pids.filter(isAlive).length, 2)
  parent.kill('SIGKILL')
  while (pids.some(isAlive) || existsSync(folder)) await sleep(50)
  t.strictSame(pids.filter(isAlive), [])
  t.notOk(existsSync(folder))
})

t.test('a server that ends while it starts is reported with what it logged', async (t) => {
  const folder = await serverFolder('test')
  t.teardown(() => removeFolder(folder))
  const args = ['-c', 'echo no room left >&2; exit 3']
  const started = launch({ command: '/bin/sh', args, folder, ready: async () => false })
  await t.rejects(started, { message: /ended with 3:\s+no room left/ })
})

t.test('a server that ignores a signal gets the next one', async (t) => {
  const folder = await serverFolder('test')
  t.teardown(() => removeFolder(folder))
  const args = ['-c', 'trap "" TERM; touch ready; while :; do sleep 0.1; done']
  const ready = async () => existsSync(join(folder, 'ready'))
  const server = await launch({ command: '/bin/sh', args, folder, ready })
  await server.stop('SIGTERM', 'SIGKILL')
  t.notOk(isAlive(server.pid))
})

t.test('ports are below those of outgoing connections, and never given twice', async (t) => {
  const ports = await Promise.all(Array.from({ length: 20 }, freePort))
  t.equal(new Set(ports).size, ports.length)
  t.ok(ports.every((port) => port > 1024 && port < 32768))
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { Cluster } from '../../../../src/log/kafka/cluster.ts'
import { type Child, start } from '../../../launcher/child.ts'
import type { KafkaCluster } from '../../../support/servers/kafka.ts'
import { useKafka } from '../../../support/servers/use.ts'
import { aborted, count } from './count.ts'
import { steps } from './steps.ts'

/*
 * What a failure does to writers and tasks on three brokers, as kafkajs counts it. Each run writes
 * 2,000 records a second for at least 30 s; `ROUNDS` says how often, `ONLY` which.
 */

const rounds = Number(process.env.ROUNDS ?? 3)
const only = process.env.ONLY
const before = 8_000
const after = 22_000

interface Scene {
  readonly kafka: KafkaCluster
  readonly bootstrap: string
  readonly prefix: string
  /** The number of the node that leads, or coordinates, something. */
  node(what: 'writer' | 'group' | 'partition'): Promise<number>
  readonly worker: Worker
  /** Waits until a transaction of the worker is open, and leaves it so until `release`. */
  hold(): Promise<void>
  release(): void
  /** Starts one more, which kills itself at a step of commit if one is named. */
  begin(step?: string): Worker
}

const failures: Readonly<Record<string, (scene: Scene) => Promise<readonly number[] | undefined>>> =
  {
    'the transaction coordinator is killed': async (scene) =>
      kill(scene, [await scene.node('writer')]),
    'the leader of a partition is killed': async (scene) =>
      kill(scene, [await scene.node('partition')]),
    'the coordinator of the group is killed': async (scene) =>
      kill(scene, [await scene.node('group')]),
    'two brokers are killed at once': async (scene) => {
      const first = await scene.node('writer')
      await kill(scene, [first, (first % 3) + 1])
      await sleep(5_000)
      await scene.kafka.restart(first)
      return [(first % 3) + 1]
    },
    'brokers restart one after the other': async ({ kafka, bootstrap, hold, release }) => {
      for (const node of [1, 2, 3]) {
        if (node > 1) await hold()
        const restarted = kafka.restart(node)
        await isGone(bootstrap.split(',')[node - 1]!)
        release()
        await restarted
      }
    },
    'all brokers restart': async (scene) => {
      const { kafka } = scene
      await kill(scene, [1, 2, 3])
      await Promise.all([1, 2, 3].map((node) => kafka.restart(node)))
    },
    'our process is killed again and again': async ({ worker, begin, release }) => {
      let current = worker
      for (let i = 0; i < 6; i++) {
        current.kill('SIGKILL')
        if (i === 0) release()
        current = begin()
        await current.said(/out \d/)
        await sleep(500 + i * 137)
      }
    },
    'our process is killed at every step of a commit': async ({ worker, begin, release }) => {
      worker.kill('SIGKILL')
      release()
      for (const step of steps) {
        const dying = begin(step)
        await dying.ended
        if (!dying.output().includes(`dies ${step}`)) throw new Error(dying.output())
      }
      await begin().said(/out \d/)
    },
    'our process and the coordinator of its transactions are killed': async (scene) => {
      const { node, worker, begin } = scene
      const nodes = [await node('writer')]
      worker.kill('SIGKILL')
      await kill(scene, nodes)
      await begin().said(/out \d/)
      return nodes
    },
    'our process stops for longer than its session, and comes back as a zombie': async (scene) => {
      const { worker, begin, release } = scene
      worker.kill('SIGSTOP')
      release() // It hears of it when it goes on.
      const other = begin()
      await other.said(/out \d/)
      await sleep(12_000)
      worker.kill('SIGCONT')
      await sleep(5_000)
    },
  }

test('0 lost and 0 duplicated on three brokers', async (t) => {
  const { bootstrap, prefix, cluster: kafka } = await useKafka(t, { brokers: 3 })
  for (const [i, [name, fail]] of Object.entries(failures).entries()) {
    if (only !== undefined && !name.includes(only)) continue
    for (let round = 0; round < rounds; round++) {
      await t.test(name, (t) =>
        run(t, fail, { bootstrap, kafka: kafka!, prefix: `${prefix}-${i}-${round}` }),
      )
    }
  }
})

async function run(
  t: Test,
  fail: (scene: Scene) => Promise<readonly number[] | undefined>,
  { bootstrap, kafka, prefix }: Pick<Scene, 'bootstrap' | 'kafka' | 'prefix'>,
): Promise<void> {
  const workers: Worker[] = []
  const begin = (step = '') => {
    const worker = beginWorker(t, { bootstrap, prefix, step })
    workers.push(worker)
    return worker
  }
  const worker = begin()
  await worker.said(/out \d/)
  await sleep(before)
  const node = (what: 'writer' | 'group' | 'partition') => nodeOf(bootstrap, prefix, what)
  const held: Span[] = []
  const release = () => {
    worker.kill('SIGUSR2')
    held.at(-1)!.to = performance.now()
  }
  const hold = async () => {
    worker.kill('SIGUSR2')
    await worker.said(new RegExp(`^open ${held.length + 1}$`, 'm'))
    held.push({ from: performance.now(), to: Number.POSITIVE_INFINITY })
  }
  await hold()
  const scene = { kafka, bootstrap, prefix, node, worker, begin, hold, release }
  const dead = await fail(scene)
  await sleep(after)
  for (const node of dead ?? []) await kafka.restart(node)
  await sleep(2_000)
  for (const worker of workers) worker.kill('SIGTERM')
  await Promise.race([Promise.all(workers.map(({ ended }) => ended)), sleep(40_000)])
  for (const worker of workers) worker.kill('SIGKILL')
  await sleep(3_000)
  await verify(t, workers, { bootstrap, prefix, held })
}

/** When a transaction was left open on purpose, in ms. */
interface Span {
  readonly from: number
  to: number
}

interface Found extends Pick<Scene, 'bootstrap' | 'prefix'> {
  readonly held: readonly Span[]
}

/** Counts what there is, and looks whether a transaction was under way when the failure came. */
async function verify(
  t: Test,
  workers: readonly Worker[],
  { bootstrap, prefix, held }: Found,
): Promise<void> {
  const told = workers.flatMap(({ commits }) => commits()).sort((a, b) => a - b)
  const gaps = told.map((at, i) => {
    const before = told[i - 1] ?? at
    const idle = held.map(({ from, to }) => Math.min(at, to) - Math.max(before, from))
    return at - before - idle.reduce((sum, ms) => sum + Math.max(0, ms), 0)
  })
  const [written, forwarded] = [`${prefix}.in`, `${prefix}.out`]
  const found = { in: await count(bootstrap, written), out: await count(bootstrap, forwarded) }
  const proofs = (await aborted(bootstrap, written)) + (await aborted(bootstrap, forwarded))
  const seconds = (told.at(-1)! - told[0]!) / 1_000
  const perSecond = Math.round(found.in.records / seconds)
  const rate = `${Math.round(seconds)} s, ${perSecond} records/s, ${proofs} transactions aborted`
  t.comment(`longest without a commit ${Math.round(Math.max(...gaps))} ms; ${rate}`)
  t.comment(`${JSON.stringify(found)}; ${errorsOf(workers)}`)
  for (const each of [found.in, found.out]) {
    t.match(each, { lost: 0, duplicated: 0 })
    t.ok(each.records > 10_000)
  }
  t.equal(countedBy(workers), found.out.records, 'and the state of the tasks knows how many')
  t.ok(seconds > 30)
  t.ok(proofs > 0, 'a transaction was under way, and was aborted')
}

/** The sum of the tasks' counters. */
function countedBy(workers: readonly Worker[]): number {
  const counts = new Map<string, number>()
  for (const worker of workers) {
    for (const [, partition, text] of worker.output().matchAll(/^out (\d+) (\d+)$/gm)) {
      counts.set(partition!, Math.max(Number(text), counts.get(partition!) ?? 0))
    }
  }
  return [...counts.values()].reduce((sum, each) => sum + each, 0)
}

interface Worker extends Child {
  /** When commits of the writer were told, in ms. */
  commits(): readonly number[]
}

interface Begun extends Pick<Scene, 'bootstrap' | 'prefix'> {
  readonly step: string
}

function beginWorker(t: Test, { bootstrap, prefix, step }: Begun): Worker {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-worker-'))
  const program = join(import.meta.dirname, 'worker.ts')
  const child = start(program, [bootstrap, prefix, directory], { env: { DIE_AT: step } })
  const times: number[] = []
  let seen = 0
  const looking = setInterval(() => {
    const lines = child
      .output()
      .split('\n')
      .filter((line) => line.startsWith('in ')).length
    if (lines > seen) times.push(performance.now())
    seen = lines
  }, 50)
  t.teardown(() => {
    clearInterval(looking)
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  return { ...child, commits: () => times }
}

function errorsOf(workers: readonly Worker[]): string {
  const lines = workers.flatMap((worker) => worker.output().split('\n'))
  const errors = lines.filter((line) => line.startsWith('error '))
  return `${errors.length} errors${errors.length === 0 ? '' : `, first: ${errors[0]}`}`
}

async function kill({ kafka, release }: Scene, nodes: readonly number[]) {
  await Promise.all(nodes.map((node) => kafka.kill(node)))
  release()
  return nodes
}

/** Waits until nobody listens at an address any more. */
async function isGone(address: string): Promise<void> {
  const [host, port] = address.split(':') as [string, string]
  const isThere = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), host)
      const end = (is: boolean) => {
        socket.destroy()
        resolve(is)
      }
      socket.once('connect', () => end(true)).once('error', () => end(false))
    })
  while (await isThere()) await sleep(100)
}

async function nodeOf(bootstrap: string, prefix: string, what: string): Promise<number> {
  const brokers = bootstrap.split(',')
  const cluster = new Cluster({ brokers, clientId: 'find', requestTimeoutMs: 10_000 })
  try {
    const address =
      what === 'partition'
        ? await cluster.leader(`${prefix}.in`, 0)
        : await (what === 'group'
            ? cluster.coordinator('group', `${prefix}.g`)
            : cluster.coordinator('transaction', `${prefix}.w`))
    return brokers.indexOf(address) + 1
  } finally {
    await cluster.close()
  }
}

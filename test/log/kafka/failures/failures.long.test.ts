import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { Cluster } from '../../../../src/log/kafka/cluster.ts'
import { type Child, start } from '../../../launcher/child.ts'
import type { KafkaCluster } from '../../../support/servers/kafka.ts'
import { useKafka } from '../../../support/servers/use.ts'
import { aborted, count } from './count.ts'

/*
 * What a failure does to writers and tasks on three brokers, as kafkajs counts it. Each run writes
 * 2,000 records a second for at least 30 s; `ROUNDS` says how often.
 */

const rounds = Number(process.env.ROUNDS ?? 1)
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
  begin(): Worker
}

const failures: Readonly<Record<string, (scene: Scene) => Promise<readonly number[] | undefined>>> =
  {
    'the transaction coordinator is killed': async ({ kafka, node }) =>
      kill(kafka, [await node('writer')]),
    'the leader of a partition is killed': async ({ kafka, node }) =>
      kill(kafka, [await node('partition')]),
    'the coordinator of the group is killed': async ({ kafka, node }) =>
      kill(kafka, [await node('group')]),
    'two brokers are killed at once': async ({ kafka, node }) => {
      const first = await node('writer')
      await kill(kafka, [first, (first % 3) + 1])
      await sleep(5_000)
      await kafka.restart(first)
      return [(first % 3) + 1]
    },
    'brokers restart one after the other': async ({ kafka }) => {
      for (const node of [1, 2, 3]) await kafka.restart(node)
    },
    'all brokers restart': async ({ kafka }) => {
      await kill(kafka, [1, 2, 3])
      await Promise.all([1, 2, 3].map((node) => kafka.restart(node)))
    },
    'our process is killed again and again': async ({ worker, begin }) => {
      let current = worker
      for (let i = 0; i < 6; i++) {
        current.kill('SIGKILL')
        current = begin()
        await current.said(/out \d/)
        await sleep(500 + i * 137)
      }
    },
    'our process stops for longer than its session, and comes back as a zombie': async (scene) => {
      const { worker, begin } = scene
      worker.kill('SIGSTOP')
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
  const begin = () => {
    const worker = beginWorker(t, bootstrap, prefix)
    workers.push(worker)
    return worker
  }
  const worker = begin()
  await worker.said(/out \d/)
  await sleep(before)
  const node = (what: 'writer' | 'group' | 'partition') => nodeOf(bootstrap, prefix, what)
  process.kill(worker.pid, 'SIGUSR2')
  await worker.said(/^open$/m)
  const dead = await fail({ kafka, bootstrap, prefix, node, worker, begin })
  await sleep(after)
  for (const node of dead ?? []) await kafka.restart(node)
  await sleep(2_000)
  for (const worker of workers) worker.kill('SIGTERM')
  await Promise.race([Promise.all(workers.map(({ ended }) => ended)), sleep(40_000)])
  for (const worker of workers) worker.kill('SIGKILL')
  const told = workers.flatMap(({ commits }) => commits()).sort((a, b) => a - b)
  const gaps = told.map((at, i) => at - (told[i - 1] ?? at))
  t.comment(`recovered after ${Math.round(Math.max(...gaps))} ms; ${errorsOf(workers)}`)
  await sleep(3_000)
  let proofs = 0
  for (const name of ['in', 'out']) {
    const topic = `${prefix}.${name}`
    const found = await count(bootstrap, topic)
    proofs += await aborted(bootstrap, topic)
    t.comment(`${topic}: ${JSON.stringify(found)}, ${proofs} transactions aborted by now`)
    t.match(found, { lost: 0, duplicated: 0 })
    t.ok(found.records > 1_000)
  }
  t.ok(proofs > 0, 'a transaction was under way, and was aborted')
}

interface Worker extends Child {
  /** When commits of the writer were told, in ms. */
  commits(): readonly number[]
}

function beginWorker(t: Test, bootstrap: string, prefix: string): Worker {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-worker-'))
  const child = start(join(import.meta.dirname, 'worker.ts'), [bootstrap, prefix, directory])
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

async function kill(kafka: KafkaCluster, nodes: readonly number[]): Promise<readonly number[]> {
  await Promise.all(nodes.map((node) => kafka.kill(node)))
  return nodes
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

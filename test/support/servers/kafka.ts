import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jarsOf } from './jars.ts'
import { findJdk, type Jdk, quickStart } from './java.ts'
import { makeSecure, type SecureListeners } from './kafka-secure.ts'
import { type Launched, launch, removeFolder, serverFolder } from './launch.ts'
import { run } from './missing.ts'
import { freePort } from './ports.ts'
import { logHas } from './server-log.ts'

export interface KafkaOptions {
  /** Three replicate each partition, two of which must have a record. Default 1. */
  readonly brokers?: 1 | 3
  /** Further lines of server.properties. */
  readonly extra?: readonly string[]
  /** Listeners with TLS and SASL, and access control: see kafka-secure.ts. */
  readonly secure?: boolean
}

/** A real Kafka without ZooKeeper; every node is a broker and a controller. */
export interface KafkaCluster {
  /** The brokers' addresses, as clients take them. */
  readonly bootstrap: string
  /** Of the first broker, with `secure`. */
  readonly secure?: SecureListeners
  stop(): Promise<void>
  /** A crash of one node, counted from 1; its data stay for `restart()`. */
  kill(node: number): Promise<void>
  /** Starts one node again, after stopping it if it runs. */
  restart(node: number): Promise<void>
}

interface Node {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly folder: string
}

export const kafkaVersion = '4.3.1'
const clusterId = 'bWlsbHJhY2UtdGVzdC0wMQ' // Any 16 bytes in base64url.

/** Starts a Kafka of its own: about six seconds for one broker, twenty for three. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const jdk = await findJdk(17)
  const jars = await jarsOf({ name: 'kafka', version: kafkaVersion }, jdk)
  const folder = await serverFolder('kafka')
  const nodes = await Promise.all(
    Array.from({ length: options.brokers ?? 1 }, (_, index) => prepare(folder, index + 1)),
  )
  const secure = options.secure ? await makeSecure() : undefined
  for (const node of nodes) {
    const file = join(node.folder, 'server.properties')
    const extra = [...(options.extra ?? []), ...(secure?.lines ?? [])]
    await writeFile(file, properties(node, nodes, { extra, listeners: secure?.listeners ?? [] }))
  }
  await writeFile(join(folder, 'log4j2.xml'), logging)
  const scram = secure?.scram ?? []
  const start = (node: Node) => startNode(node, { jdk, jars, scram })
  const running = new Map<number, Launched>()
  await Promise.all(nodes.map(async (node) => void running.set(node.id, await start(node))))
  return {
    bootstrap: nodes.map((node) => `127.0.0.1:${node.port}`).join(','),
    ...(secure && { secure: secure.found }),
    async stop() {
      await Promise.all([...running.values()].map((node) => node.stop('SIGKILL')))
      await removeFolder(folder)
    },
    kill: (id) => running.get(id)!.stop('SIGKILL'),
    async restart(id) {
      // A node that lost its quorum can hang in an orderly shutdown.
      await running.get(id)!.stop('SIGTERM', 'SIGTERM', 'SIGKILL')
      running.set(id, await start(nodes[id - 1]!))
    },
  }
}

async function prepare(folder: string, id: number): Promise<Node> {
  const node = { id, port: await freePort(), controllerPort: await freePort() }
  const own = join(folder, `node-${id}`)
  await mkdir(own)
  return { ...node, folder: own }
}

interface Installed {
  readonly jdk: Jdk
  readonly jars: string
  /** Users to be known from the beginning, as the format command takes them. */
  readonly scram: readonly string[]
}

async function startNode(node: Node, { jdk, jars, scram }: Installed): Promise<Launched> {
  const file = join(node.folder, 'server.properties')
  const log4j = `-Dlog4j2.configurationFile=${join(node.folder, '..', 'log4j2.xml')}`
  const java = [...quickStart, log4j, '-cp', join(jars, 'lib', '*')]
  const formatted = await stat(join(node.folder, 'data', 'meta.properties')).catch(() => undefined)
  if (formatted === undefined) {
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file, ...scram]
    await run(jdk.java, ['-Xmx128m', ...java, ...format])
  }
  const started = await logHas(join(node.folder, 'server.log'), 'Kafka Server started')
  return launch({
    command: jdk.java,
    args: ['-Xms128m', '-Xmx512m', ...java, 'kafka.Kafka', file],
    folder: node.folder,
    ready: started,
    readyMs: 120_000,
  })
}

interface Further {
  readonly extra: readonly string[]
  readonly listeners: readonly string[]
}

function properties(node: Node, nodes: readonly Node[], { extra, listeners }: Further): string {
  const voters = nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`)
  const replicas = nodes.length
  const inSync = Math.min(replicas, 2)
  const offered = [`PLAINTEXT://127.0.0.1:${node.port}`, ...listeners]
  const protocols = offered.map((each) => each.split(':')[0]!).map((name) => `${name}:${name}`)
  const lines = [
    'process.roles=broker,controller',
    `node.id=${node.id}`,
    `controller.quorum.voters=${voters.join(',')}`,
    'controller.listener.names=CONTROLLER',
    `listeners=${[...offered, `CONTROLLER://127.0.0.1:${node.controllerPort}`].join(',')}`,
    `advertised.listeners=${offered.join(',')}`,
    `listener.security.protocol.map=CONTROLLER:PLAINTEXT,${protocols.join(',')}`,
    'inter.broker.listener.name=PLAINTEXT',
    `log.dirs=${join(node.folder, 'data')}`,
    `default.replication.factor=${replicas}`,
    `min.insync.replicas=${inSync}`,
    `offsets.topic.replication.factor=${replicas}`,
    'offsets.topic.num.partitions=5',
    `transaction.state.log.replication.factor=${replicas}`,
    `transaction.state.log.min.isr=${inSync}`,
    'transaction.state.log.num.partitions=5',
    `share.coordinator.state.topic.replication.factor=${replicas}`,
    `share.coordinator.state.topic.min.isr=${inSync}`,
    'group.initial.rebalance.delay.ms=0',
    'auto.create.topics.enable=false',
    'num.network.threads=2',
    'num.io.threads=4',
    'log.cleaner.dedupe.buffer.size=16777216',
    'broker.session.timeout.ms=6000',
    ...extra,
  ]
  return `${lines.join('\n')}\n`
}

const logging = `<Configuration>
  <Appenders>
    <Console name="C"><PatternLayout pattern="%d{HH:mm:ss.SSS} %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="C"/></Root></Loggers>
</Configuration>
`

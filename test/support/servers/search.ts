import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type JarServer, jarsOf } from './jars.ts'
import { findJdk, quickStart } from './java.ts'
import { launch, removeFolder, serverFolder } from './launch.ts'
import { freePort } from './ports.ts'

export interface SearchOptions<Version extends string = string> {
  readonly version?: Version
  readonly port?: number
  /** As for `-Xmx`. Default `512m`. */
  readonly heap?: string
  /** Further lines of the server's YAML configuration. */
  readonly extra?: readonly string[]
}

export type ElasticsearchVersion = '9.5.3' | '8.19.21'
export type OpensearchVersion = '3.8.0'

/** One real node without a security module: it takes every request. */
export interface SearchServer {
  readonly url: string
  readonly version: string
  /** Another one after `restart()`. */
  readonly pid: number
  stop(): Promise<void>
  kill(): Promise<void>
  /** Starts again on the same port and data, after stopping it if it runs. */
  restart(): Promise<void>
}

/** Starts an Elasticsearch of its own, by default the newest that can run here. */
export async function startElasticsearch(
  options: SearchOptions<ElasticsearchVersion> = {},
): Promise<SearchServer> {
  const version = options.version ?? (await newestElasticsearch())
  const arrange = (folder: string) => transportModule(folder, version)
  const jars = { name: 'elasticsearch', version, sources: ['EsMain.java'], arrange }
  const java = version.startsWith('8.') ? 17 : 21
  return start({ product: 'elasticsearch', prefix: 'es', main: 'EsMain', java, jars }, options)
}

/** Starts an OpenSearch of its own, in five to twenty seconds. */
export function startOpensearch(
  options: SearchOptions<OpensearchVersion> = {},
): Promise<SearchServer> {
  const version = options.version ?? '3.8.0'
  const jars = { name: 'opensearch', version, sources: ['OsMain.java'] }
  const prefix = 'opensearch'
  return start({ product: 'opensearch', prefix, main: 'OsMain', java: 21, jars }, options)
}

/** Many a distribution has no newer Java than 17, which the last version 8 is content with. */
async function newestElasticsearch(): Promise<ElasticsearchVersion> {
  return findJdk(21).then(
    () => '9.5.3',
    () => '8.19.21',
  )
}

interface Product {
  readonly product: string
  /** Of the system properties that name its folders. */
  readonly prefix: string
  readonly main: string
  readonly java: number
  readonly jars: JarServer
}

async function start(product: Product, options: SearchOptions): Promise<SearchServer> {
  const jdk = await findJdk(product.java)
  const jars = await jarsOf(product.jars, jdk)
  const home = await serverFolder(product.product)
  const port = options.port ?? (await freePort())
  await lay(home, jars, product, await configuration(port, options.extra ?? []))
  const url = `http://127.0.0.1:${port}`
  const heap = options.heap ?? '512m'
  const launchNode = () =>
    launch({
      command: jdk.java,
      args: [
        ...[`-Xms${heap}`, `-Xmx${heap}`, ...quickStart, '--enable-native-access=ALL-UNNAMED'],
        ...[
          `-D${product.prefix}.path.home=${home}`,
          `-D${product.prefix}.path.conf=${home}/config`,
        ],
        ...['-cp', join(jars, 'lib', '*'), product.main, home],
      ],
      folder: home,
      ready: () => answers(url),
      readyMs: 120_000, // Two cores that also compile may need a minute.
    })
  let node = await launchNode()
  return {
    ...{ url, version: product.jars.version },
    get pid() {
      return node.pid
    },
    async stop() {
      await node.stop('SIGKILL') // Its data goes with it: nothing is worth an orderly end.
      await removeFolder(home)
    },
    kill: () => node.stop('SIGKILL'),
    async restart() {
      await node.stop('SIGTERM', 'SIGTERM', 'SIGKILL')
      node = await launchNode()
    },
  }
}

async function configuration(port: number, extra: readonly string[]): Promise<string> {
  const lines = [
    'cluster.name: millrace-test',
    'node.name: millrace-test',
    'network.host: 127.0.0.1',
    `http.port: ${port}`,
    `transport.port: ${await freePort()}`,
    'discovery.type: single-node',
    'cluster.routing.allocation.disk.threshold_enabled: false',
    ...extra,
  ]
  return `${lines.join('\n')}\n`
}

const logging = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`

async function lay(home: string, jars: string, product: Product, yaml: string): Promise<void> {
  for (const name of ['config', 'data', 'logs', 'plugins', 'lib']) await mkdir(join(home, name))
  const modules = join(jars, 'modules')
  const has = (await readdir(jars)).includes('modules')
  await (has ? symlink(modules, join(home, 'modules')) : mkdir(join(home, 'modules')))
  await writeFile(join(home, 'config', `${product.product}.yml`), yaml)
  await writeFile(join(home, 'config', 'log4j2.properties'), logging)
}

/** HTTP comes as a module of its own: its jars and Netty's, with a descriptor. */
async function transportModule(folder: string, version: string): Promise<void> {
  const module = join(folder, 'modules', 'transport-netty4')
  await mkdir(module, { recursive: true })
  for (const jar of await readdir(join(folder, 'lib'))) {
    if (!/^(netty-|transport-netty4-)/.test(jar)) continue
    await rename(join(folder, 'lib', jar), join(module, jar))
  }
  // The jar's own descriptor also names a Java module, for which the server would have to be one.
  const descriptor = [
    'name=transport-netty4',
    'description=HTTP',
    `version=${version}`,
    `elasticsearch.version=${version}`,
    'java.version=17',
    'classname=org.elasticsearch.transport.netty4.Netty4Plugin',
  ]
  await writeFile(join(module, 'plugin-descriptor.properties'), `${descriptor.join('\n')}\n`)
}

async function answers(url: string): Promise<boolean> {
  const health = `${url}/_cluster/health?wait_for_status=yellow&timeout=5s`
  const answer = await fetch(health, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined)
  await answer?.body?.cancel()
  return answer?.ok === true
}

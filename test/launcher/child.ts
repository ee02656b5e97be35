import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The program as users start it, and the same with stand-ins for connectors and sinks. */
export const cli = fileURLToPath(new URL('../../src/launcher/main.ts', import.meta.url))
export const standInCli = fileURLToPath(new URL('./stand-in-cli.ts', import.meta.url))

export interface Child {
  readonly pid: number
  /** Everything on standard output and standard error so far. */
  readonly output: () => string
  /** Resolves once the output matches; rejects if the process ends before. */
  said(pattern: RegExp): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** The exit code, once all output is in. */
  readonly ended: Promise<number | null>
}

export interface ChildOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Starts a program with this Node. */
export function start(program: string, args: readonly string[], options: ChildOptions = {}): Child {
  const env = { ...process.env, ...options.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, [program, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  let output = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const listener of listeners) listener()
    })
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const said = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => pattern.test(output) && resolve()
      listeners.add(look)
      look()
      ended.then(() => reject(new Error(`it ended without ${pattern}:\n${output}`)))
    })
  return {
    pid: child.pid!,
    output: () => output,
    said,
    kill: (signal) => child.kill(signal),
    ended,
  }
}

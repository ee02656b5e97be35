import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { profileFlags } from './profile.ts'

/** What one run of a child process cost. */
export interface Run {
  /** What the child printed on its last line. */
  readonly result: Readonly<Record<string, number>>
  /** Anonymous resident memory at its highest, sampled every 100 ms: mapped pages are not in it. */
  readonly peakRssMb: number
  /** Mapped files at their highest: the page cache, which the kernel takes back at need. */
  readonly peakMappedMb: number
  /** All samples of the anonymous resident memory, in MB. */
  readonly rssMb: readonly number[]
}

type Memory = Pick<Run, 'peakRssMb' | 'peakMappedMb' | 'rssMb'>

export const sampleMs = 100

/**
 * Runs a module of test/bench/runs in a process of its own, so that runs share no heap. With
 * `profile`, the file that takes its CPU profile.
 */
export async function runChild(module: string, input: object, profile?: string): Promise<Run> {
  const child = await startChild(module, input, { saysReady: false, profile })
  const result = (await child.result()) as Run['result']
  return { result, ...child.memory() }
}

export interface Child {
  /** What the child printed on its last line, once it has ended well. */
  result(): Promise<unknown>
  memory(): Memory
  /** Asks it to end. */
  stop(): void
}

export interface ChildOptions {
  /** Whether the child says in its first line that it is ready, which is waited for. */
  readonly saysReady?: boolean
  readonly profile?: string | undefined
}

/** Starts a module of test/bench/runs. */
export async function startChild(
  module: string,
  input: object,
  { saysReady = true, profile }: ChildOptions = {},
): Promise<Child> {
  const path = join(import.meta.dirname, 'runs', module)
  const flags = ['--conditions=millrace-source', ...(profile ? profileFlags(profile) : [])]
  const child = spawn(process.execPath, [...flags, path, JSON.stringify(input)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const memory = sampleMemory(child)
  let last = '{}'
  const lines = createInterface({ input: child.stdout })
  const ready = new Promise<void>((resolve) => lines.once('line', () => resolve()))
  lines.on('line', (line) => {
    last = line
  })
  const closed = new Promise<void>((resolve) => lines.once('close', () => resolve()))
  const ended = (async () => {
    await closed
    const code = await exitOf(child)
    if (code !== 0) throw new Error(`${module} ended with ${code}`)
    return JSON.parse(last) as unknown
  })()
  ended.catch(() => {})
  if (saysReady) await Promise.race([ready, ended])
  return { result: () => ended, memory, stop: () => void child.kill('SIGTERM') }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
}

function sampleMemory(child: ChildProcess): () => Memory {
  const rssMb: number[] = []
  let peakMappedMb = 0
  const timer = setInterval(() => {
    const { anonymous, mapped } = memoryOf(child.pid!)
    if (anonymous > 0) rssMb.push(anonymous)
    peakMappedMb = Math.max(peakMappedMb, mapped)
  }, sampleMs)
  return () => {
    clearInterval(timer)
    return { peakRssMb: Math.max(0, ...rssMb), peakMappedMb, rssMb }
  }
}

export function memoryOf(pid: number): { readonly anonymous: number; readonly mapped: number } {
  let status = ''
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    // It has just ended.
  }
  const megabytes = (field: string) =>
    Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024
  return { anonymous: megabytes('RssAnon'), mapped: megabytes('RssFile') }
}

/** CPU time of this process since `start`, in µs. */
export function cpuMicros(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start)
  return user + system
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The value below which the share `p` of the values lies. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN
}

/** Lowest and highest, for people. */
export function spread(values: readonly number[]): string {
  return `${round(Math.min(...values))} … ${round(Math.max(...values))}`
}

export function round(value: number): number {
  if (!Number.isFinite(value)) return value
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return Number(value.toFixed(digits))
}

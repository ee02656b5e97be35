import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** What one run of a child process cost. */
export interface Run {
  /** What the child printed on its last line. */
  readonly result: Readonly<Record<string, number>>
  /** Anonymous resident memory at its highest, sampled every 100 ms: mapped pages are not in it. */
  readonly peakRssMb: number
  /** Mapped files at their highest: the page cache, which the kernel takes back at need. */
  readonly peakMappedMb: number
}

const sampleMs = 100

/** Runs a module of test/bench/runs in a process of its own, so that runs share no heap. */
export async function runChild(module: string, input: object): Promise<Run> {
  const child = await startChild(module, input, false)
  const result = (await child.result()) as Run['result']
  return { result, ...child.peak() }
}

export interface Child {
  /** What the child printed on its last line, once it has ended well. */
  result(): Promise<unknown>
  peak(): Pick<Run, 'peakRssMb' | 'peakMappedMb'>
}

/** Starts a module of test/bench/runs; one that must be ready first says so in its first line. */
export async function startChild(module: string, input: object, saysReady = true): Promise<Child> {
  const path = join(import.meta.dirname, 'runs', module)
  const conditions = '--conditions=millrace-source'
  const child = spawn(process.execPath, [conditions, path, JSON.stringify(input)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const peak = sampleMemory(child)
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
  return { result: () => ended, peak }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
}

function sampleMemory(child: ChildProcess): () => Pick<Run, 'peakRssMb' | 'peakMappedMb'> {
  let peakRssMb = 0
  let peakMappedMb = 0
  const timer = setInterval(() => {
    const { anonymous, mapped } = memoryOf(child.pid!)
    peakRssMb = Math.max(peakRssMb, anonymous)
    peakMappedMb = Math.max(peakMappedMb, mapped)
  }, sampleMs)
  return () => {
    clearInterval(timer)
    return { peakRssMb, peakMappedMb }
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

import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import { memoryOf } from './measure.ts'

/** The real program, running beside the benchmark. */
export interface Program {
  /** CPU time so far, in µs. */
  cpuMicros(): number
  /** Anonymous resident memory at its highest so far. */
  peakRssMb(): number
  stop(): Promise<void>
}

const main = join(import.meta.dirname, '../../src/launcher/main.ts')
/** The unit of times in /proc/<pid>/stat: USER_HZ is 100 on every Linux of ours. */
const tickMicros = 10_000

/** Starts `millrace run` on a configuration, and waits until its snapshot is done. */
export async function startProgram(directory: string, config: object): Promise<Program> {
  const file = join(directory, 'pipeline.yaml')
  writeFileSync(file, stringify(config))
  const child = spawn(process.execPath, ['--conditions=millrace-source', main, 'run', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let peak = 0
  const sampling = setInterval(() => {
    peak = Math.max(peak, memoryOf(child.pid!).anonymous)
  }, 100)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const lines = createInterface({ input: child.stderr })
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (/snapshot of public\.orders: /.test(line)) resolve()
      else if (/ [A-Z_]{6,}: /.test(line)) console.error(line)
    })
    child.once('exit', (code) => reject(new Error(`the program ended with ${code}`)))
  })
  return {
    cpuMicros: () => {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) * tickMicros
    },
    peakRssMb: () => peak,
    stop: async () => {
      clearInterval(sampling)
      child.kill('SIGTERM')
      await ended
    },
  }
}

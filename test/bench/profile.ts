import { copyFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(import.meta.dirname, '../..')

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[]
  /** Which node ran at each sample, and the µs since the sample before. */
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

/** A function and the time that it ran itself, without those it called. */
export interface SelfTime {
  readonly name: string
  readonly micros: number
}

/** What makes Node write its CPU profile to a file when it exits. */
export function profileFlags(file: string): string[] {
  const place = [`--cpu-prof-dir=${dirname(file)}`, `--cpu-prof-name=${basename(file)}`]
  return ['--cpu-prof', '--cpu-prof-interval=500', ...place]
}

/** The functions of a profile by their own time, the longest first. Waiting is none of them. */
export function selfTimes({ nodes, samples, timeDeltas }: Profile): SelfTime[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? '?'
    if (name !== '(idle)') times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0))
  }
  return [...times].map(([name, micros]) => ({ name, micros })).sort((a, b) => b.micros - a.micros)
}

/** Prints the twenty functions that took most, and keeps the file for a viewer. */
export function printProfile(file: string, records?: number): void {
  const times = selfTimes(JSON.parse(readFileSync(file, 'utf8')) as Profile)
  const total = times.reduce((sum, { micros }) => sum + micros, 0)
  const kept = join(tmpdir(), basename(file))
  copyFileSync(file, kept)
  console.log(`busy ${Math.round(total / 1000)} ms on the main thread; the profile is ${kept}`)
  for (const { name, micros } of times.slice(0, 20)) {
    const share = `${((100 * micros) / total).toFixed(1)} %`.padStart(7)
    const each = records === undefined ? '' : `${(micros / records).toFixed(3)} µs`.padStart(10)
    console.log(`${share}${each}  ${name}`)
  }
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName || '(anonymous)'
  if (url === '') return name
  const path = url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url
  return `${name} ${path.split(sep).slice(-4).join('/')}:${lineNumber + 1}`
}

import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Observer } from './observer.ts'
import type { Random } from './random.ts'

export interface MortalOptions {
  readonly name: string
  readonly server: { kill(): Promise<void>; restart(): Promise<void> }
  /** Those that look at what lies in it. */
  readonly observers: readonly Observer[]
  /** While it is dead; true: it has lost what it had acknowledged. */
  readonly loses?: () => boolean
}

/** A server that sinks write to: it is killed, and started again on what it has on its disk. */
export class Mortal {
  readonly name: string
  readonly #options: MortalOptions
  #isDead = false

  constructor(options: MortalOptions) {
    this.name = options.name
    this.#options = options
  }

  get isDead(): boolean {
    return this.#isDead
  }

  async kill(): Promise<void> {
    this.#isDead = true
    const { server, observers } = this.#options
    await Promise.all(observers.map((observer) => observer.lookAway()))
    await server.kill()
  }

  async restart(): Promise<void> {
    const { server, observers, loses } = this.#options
    const hasLost = loses?.() ?? false
    await server.restart()
    for (const observer of observers) observer.lookAgain(hasLost)
    this.#isDead = false
  }
}

/** Options of a Redis that syncs once a second. */
export function everySecond(folder: string): readonly string[] {
  return ['--dir', folder, '--appendonly', 'yes', '--appendfsync', 'everysec']
}

/**
 * Cuts off the end of its append-only file, as a power cut does: what it has acknowledged and
 * written, and the disk has not got. A killed process alone loses nothing.
 */
export function cutTail(folder: string, random: Random): boolean {
  const files = join(folder, 'appendonlydir')
  const newest = readdirSync(files)
    .filter((name) => name.endsWith('.incr.aof'))
    .map((name) => join(files, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0]
  if (newest === undefined) return false
  const { size } = statSync(newest)
  truncateSync(newest, size - Math.min(size, random.below(200_000)))
  return true
}

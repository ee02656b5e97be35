import { decodeCheckpoint } from '../../../src/core/checkpoint.ts'
import type { SinkContext } from '../../../src/core/plugin.ts'
import type { Position } from '../../../src/core/source.ts'
import { type Place, placeOf } from '../keys.ts'
import type { RedisOptions } from '../options.ts'
import type { Word } from '../resp.ts'
import { Servers } from '../servers.ts'
import { readStamp, type Stamp } from '../stamp.ts'

/** Looks at what a sink keeps in Redis. Connects when it is first asked, and changes nothing. */
export class Glance {
  readonly #servers: Servers
  readonly #place: Place
  #connected: Promise<void> | undefined

  constructor(options: RedisOptions, context: SinkContext) {
    this.#servers = new Servers(options, `millrace/${context.pipeline}/${context.name}/reading`)
    this.#place = placeOf(context)
  }

  async checkpoint(): Promise<Position | null> {
    const { checkpoint } = this.#place
    const [text] = await this.texts([checkpoint])
    return text == null ? null : decodeCheckpoint(text, checkpoint).position
  }

  async texts(keys: readonly string[]): Promise<readonly (string | null)[]> {
    await this.#connect()
    return this.#servers.texts(keys)
  }

  async ask<T = string | null>(name: string, key: string, ...words: readonly Word[]): Promise<T> {
    await this.#connect()
    return (await this.#servers.command(name, key, ...words)) as T
  }

  async *scan(pattern: string): AsyncGenerator<string[]> {
    await this.#connect()
    yield* this.#servers.scan(pattern)
  }

  isOurs(stamp: Stamp | undefined): stamp is Stamp {
    return stamp?.owner === this.#place.owner
  }

  /**
   * Reads what stamps stand for, of one moment: stamp and content are two keys, so a write may come
   * in between, and the stamps are read twice.
   */
  async steady<T>(
    marks: readonly string[],
    read: () => Promise<readonly T[]>,
  ): Promise<readonly (readonly [stamp: Stamp | undefined, content: T])[]> {
    for (;;) {
      const before = await this.texts(marks)
      const contents = await read()
      const after = await this.texts(marks)
      if (before.some((stamp, i) => stamp !== after[i])) continue
      return contents.map((content, i) => [readStamp(before[i] ?? ''), content])
    }
  }

  async close(): Promise<void> {
    await this.#servers.close()
  }

  #connect(): Promise<void> {
    this.#connected ??= this.#servers.connect()
    return this.#connected
  }
}

/** Keys asked for at a time; the server does nothing else meanwhile. */
const pageKeys = 500

/** What a question gives for each page of some ids. */
export async function byPages<T>(
  ids: readonly string[],
  ask: (page: readonly string[]) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const found: T[] = []
  for (let at = 0; at < ids.length; at += pageKeys) {
    found.push(...(await ask(ids.slice(at, at + pageKeys))))
  }
  return found
}

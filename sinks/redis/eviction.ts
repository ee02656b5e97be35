import type { Servers } from './servers.ts'

/** How often servers are asked what they have evicted. */
const everyMs = 1_000

/**
 * Tells when servers evict keys, as they do when memory is full and their policy says so. What is
 * gone comes back with its next change only: to write it at once would evict something else.
 */
export class Eviction {
  readonly #servers: Servers
  readonly #say: (line: string) => void
  #evicted: number | undefined
  #nextLook = 0

  constructor(servers: Servers, say: (line: string) => void) {
    this.#servers = servers
    this.#say = say
  }

  /** Other servers count anew. */
  forget(): void {
    this.#evicted = undefined
  }

  async look(): Promise<void> {
    if (this.#evicted !== undefined && performance.now() < this.#nextLook) return
    this.#nextLook = performance.now() + everyMs
    const evicted = await this.#servers.evictedKeys()
    const more = evicted - (this.#evicted ?? evicted)
    this.#evicted = evicted
    if (more <= 0) return
    const fix = 'give it memory or set maxmemory-policy to noeviction, then refill the sink'
    this.#say(`Redis has evicted ${more} keys, which are missing until they change: ${fix}`)
  }
}

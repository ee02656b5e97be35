import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, Program } from './program.ts'

/** Which instances to kill: indexes. */
export type Victims = readonly number[]

/** Instances of the program that run together: one, or several that share a log on Kafka. */
export class Fleet {
  /** What they have said since they were last complete, and before that since the last kill. */
  lines: string[] = []
  readonly #commands: readonly Omit<Command, 'file'>[]
  readonly #running: (Program | undefined)[] = []
  /** What those that survived a kill have said since. */
  #since: string[] = []

  constructor(commands: readonly Omit<Command, 'file'>[]) {
    this.#commands = commands
  }

  get size(): number {
    return this.#commands.length
  }

  /** Starts all that do not run. Those that were not killed go on. */
  start(file: string): void {
    this.lines = this.#since
    this.#since = []
    for (const [i, command] of this.#commands.entries()) {
      this.#running[i] ??= new Program({ ...command, file }, (line) => this.#hear(line))
    }
  }

  /** Whether one ended without being told to. */
  get hasEndedByItself(): boolean {
    return this.#programs.some((program) => program.hasEndedByItself)
  }

  /** How the first that has ended did: an exit code or a signal. */
  get end(): string | undefined {
    return this.#programs.find(({ end }) => end !== undefined)?.end
  }

  /** Waits until a condition holds. False: an instance ended before, or it took too long. */
  async until(holds: () => boolean | Promise<boolean>, patienceMs: number): Promise<boolean> {
    const late = AbortSignal.timeout(patienceMs)
    while (!(await holds())) {
      if (this.end !== undefined || late.aborted) return false
      await sleep(20)
    }
    return true
  }

  says(pattern: RegExp): boolean {
    return this.lines.some((line) => pattern.test(line))
  }

  /** Gives them no chance to do anything more. By default all. */
  async kill(victims: Victims = [...this.#commands.keys()]): Promise<void> {
    this.#since = []
    await Promise.all(
      victims.map(async (i) => {
        await this.#running[i]?.kill()
        if (!this.#running[i]?.hasEndedByItself) this.#running[i] = undefined
      }),
    )
  }

  /** Lets one stand still, as a machine does that is suspended, and go on for a moment after it. */
  async suspend(victim: number, ms: number): Promise<void> {
    this.#running[victim]?.signal('SIGSTOP')
    await sleep(ms)
    this.#running[victim]?.signal('SIGCONT')
    await sleep(1_000)
  }

  /** Asks all to end, and says how they did: `0` if all did well. */
  async stop(): Promise<string> {
    const ends = await Promise.all(this.#programs.map((program) => program.stop()))
    this.#running.length = 0
    return ends.find((end) => end !== '0') ?? '0'
  }

  get #programs(): readonly Program[] {
    return this.#running.filter((program) => program !== undefined)
  }

  #hear(line: string): void {
    this.lines.push(line)
    this.#since.push(line)
  }
}

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { agrees } from '../../config/orders/demo/verdict.ts'
import type { Configured } from './configuration.ts'
import type { Gate } from './gate.ts'
import type { Load } from './load.ts'
import type { Observer } from './observer.ts'
import { type Phase, planLives } from './plan.ts'
import { type Command, Program } from './program.ts'
import type { Random } from './random.ts'
import { dropSlot, isStreaming, trimShop } from './shop-database.ts'
import { Tally, wantedRate } from './tally.ts'
import { inspectLog, judge } from './verdict.ts'

export interface CampaignOptions {
  readonly rounds: number
  readonly random: Random
  readonly client: Client
  readonly load: Load
  readonly gates: readonly Gate[]
  readonly observers: readonly Observer[]
  readonly configured: Configured
  readonly command: Command
  /** How long a sink may stand still at the end of a life before it counts as stuck. */
  readonly patienceMs: number
  readonly say: (line: string) => void
}

const startMs = 30_000
/** In the order in which they are copied. */
const tables = ['customers', 'order_items', 'orders', 'products']

/** Kills the program again and again, and finds out what that did to the sinks. */
export class Campaign {
  readonly tally = new Tally()
  readonly #options: CampaignOptions
  #program: Program | undefined
  #opening: Promise<void> = Promise.resolve()

  constructor(options: CampaignOptions) {
    this.#options = options
  }

  async run(): Promise<Tally> {
    const { rounds, random } = this.#options
    const lives = planLives(rounds, random)
    try {
      for (const [i, life] of lives.entries()) await this.#live(i + 1, life)
      return this.tally
    } finally {
      await this.#program?.kill()
    }
  }

  async #live(number: number, life: readonly Phase[]): Promise<void> {
    const { load, random, say } = this.#options
    await this.#begin()
    load.start()
    say(`life ${number}`)
    let survives = true
    for (const phase of life) {
      this.tally.rounds++
      survives = await this.#round(phase)
      if (!survives) break
    }
    await this.#opening
    if (survives) this.#program = this.#start()
    await sleep(random.below(2_000))
    await load.stop()
    await this.#end(survives)
  }

  /** A fresh data directory and a fresh slot; the sinks still hold what the last life left. */
  async #begin(): Promise<void> {
    const { client, configured, observers } = this.#options
    for (const observer of observers) await observer.beginLife()
    rmSync(configured.logPath, { recursive: true, force: true })
    await dropSlot(client)
    await trimShop(client)
  }

  /** One run of the program, up to a kill. False: it ended by itself. */
  async #round(phase: Phase): Promise<boolean> {
    const { load, say } = this.#options
    const program = this.#start()
    const isReached = await this.#reach(phase, program)
    if (phase !== 'restart') await program.until(() => load.rowsPerSecond >= wantedRate, 3_000)
    const rate = load.rowsPerSecond
    await program.kill()
    if (program.hasEndedByItself) {
      this.#complain(`the program ended by itself with ${program.end}`, program)
      return false
    }
    const actual = isReached ? this.#phaseOf(phase, program) : 'restart'
    this.tally.kill(actual, rate)
    say(`  killed in ${actual}${actual === phase ? '' : ` (meant: ${phase})`}, ${rate} rows/s`)
    return true
  }

  #start(): Program {
    this.#program = new Program(this.#options.command)
    return this.#program
  }

  /** Lets the program come to the moment of its kill. False: it never came that far. */
  async #reach(phase: Phase, program: Program): Promise<boolean> {
    const { random, client, load } = this.#options
    if (phase === 'restart') return this.#wait(program, random.below(1_500))
    if (phase === 'snapshot') {
      const begins = new RegExp(`snapshot of public.${random.pick(tables)} begins`)
      const isCopying = await program.until(() => program.says(begins), startMs)
      return isCopying && this.#wait(program, random.below(150))
    }
    if (!(await program.until(() => isStreaming(client), startMs))) return false
    if (phase === 'stream') return this.#wait(program, random.between(500, 3_000))
    if (phase === 'sink-down') return this.#shut(program)
    await load.large()
    return this.#wait(program, random.below(2_500))
  }

  /** Shuts some of the gates; they open a while later, be it before or after the next start. */
  async #shut(program: Program): Promise<boolean> {
    const { gates, random } = this.#options
    await this.#wait(program, random.below(500))
    const some = gates.length === 0 ? [] : random.shuffle(gates).slice(random.below(gates.length))
    for (const gate of some) gate.shut()
    await this.#wait(program, random.between(500, 4_000))
    const before = this.#opening
    this.#opening = sleep(random.below(5_000)).then(async () => {
      await before
      for (const gate of some) await gate.open()
    })
    return true
  }

  /** False: the program ended meanwhile. */
  #wait(program: Program, ms: number): Promise<boolean> {
    const from = performance.now()
    return program.until(() => performance.now() - from >= ms, ms + 1_000)
  }

  /** What the program was in when it was killed, by its own words. */
  #phaseOf(phase: Phase, { lines }: Program): Phase {
    const isLast = (line: string) => line.includes(`snapshot of public.${tables.at(-1)}: `)
    if (phase === 'snapshot') return lines.some(isLast) ? 'stream' : phase
    return phase
  }

  /** Everything must come to agree once the load has ended. */
  async #end(survives: boolean): Promise<void> {
    const { client, observers, patienceMs, configured, say } = this.#options
    const targets = observers.map(({ target }) => target)
    const program = this.#program!
    const isOver = () => program.end !== undefined
    const differences = await judge(client, targets, { stillMs: patienceMs, isOver })
    for (const [name, difference] of differences) {
      const { missing, extra, different, example } = difference
      this.tally.lost += missing
      this.tally.wrong += extra + different
      if (agrees(difference)) say(`  ${name}: as in Postgres`)
      else {
        say(
          `  ${name}: lost ${missing}, extra ${extra}, different ${different}, as order ${example}`,
        )
      }
    }
    const end = await program.stop()
    if (survives && end !== '0') this.#complain(`the program ended with ${end}`, program)
    for (const fault of await inspectLog(configured.logPath)) this.#complain(fault, program)
    for (const observer of observers) this.#reportRegressions(observer)
  }

  #reportRegressions(observer: Observer): void {
    const { target, regressions, looks } = observer.takeReport()
    this.tally.regressions += regressions.length
    const { say } = this.#options
    const found = regressions.length === 0 ? 'no regressions' : `${regressions.length} regressions`
    const example = regressions.length === 0 ? '' : `, as: ${regressions[0]}`
    say(`  ${target}: ${found} in ${looks} looks${example}`)
    // Whoever does not look sees nothing wrong.
    if (looks === 0) this.tally.wrong++
  }

  #complain(what: string, { lines }: Program): void {
    this.tally.wrong++
    this.#options.say(`  ${what}`)
    const telling = lines.filter((line) => /: (failed|paused)|Error/.test(line)).slice(-4)
    for (const line of telling.length > 0 ? telling : lines.slice(-4)) {
      this.#options.say(`    | ${line}`)
    }
  }
}

/** Where a campaign keeps what the program said. */
export function outputPath(directory: string): string {
  return join(directory, 'program.txt')
}

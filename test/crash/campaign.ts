import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { agrees, type Difference } from '../../config/orders/demo/verdict.ts'
import { positionAfterKill, tablesUnderWay } from './evidence.ts'
import type { Load } from './load.ts'
import type { Observer } from './observer.ts'
import { untilDone } from './ordinary.ts'
import { type Phase, planLives } from './plan.ts'
import { type Command, Program } from './program.ts'
import { dropSlot, isStreaming } from './shop-database.ts'
import { type Site, situationOf } from './situation.ts'
import { Tally, wantedRate } from './tally.ts'
import { inspectLog, judge } from './verdict.ts'

export interface CampaignOptions extends Omit<Site, 'opening'> {
  readonly rounds: number
  readonly phases: readonly Phase[]
  readonly load: Load
  readonly observers: readonly Observer[]
  readonly command: Omit<Command, 'file'>
  /** How long a sink may stand still at the end of a life before it counts as stuck. */
  readonly patienceMs: number
  readonly say: (line: string) => void
}

/** How long what is left of a snapshot may take. */
const readMs = 180_000

/** Kills the program again and again, and finds out what that did to the sinks. */
export class Campaign {
  readonly tally = new Tally()
  readonly #options: CampaignOptions
  readonly #site: Site
  #program: Program | undefined
  #opening: Promise<void> = Promise.resolve()

  constructor(options: CampaignOptions) {
    this.#options = options
    const opening = (reopen: () => Promise<void>) => {
      const before = this.#opening
      this.#opening = reopen().then(() => before)
    }
    this.#site = { ...options, opening }
  }

  async run(): Promise<Tally> {
    const { rounds, random, phases } = this.#options
    const lives = planLives(rounds, random, phases)
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
    const deadline = performance.now() + 5_000
    while (load.rowsPerSecond < wantedRate && performance.now() < deadline) await sleep(20)
    say(`life ${number}`)
    let survives = life[0] === 'snapshot' || (await this.#settle())
    for (const phase of survives ? life : []) {
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

  /** A fresh data directory and fresh slots; the sinks still hold what the last life left. */
  async #begin(): Promise<void> {
    const { subjects, configured, observers } = this.#options
    for (const observer of observers) await observer.beginLife()
    rmSync(configured.logPath, { recursive: true, force: true })
    for (const subject of subjects) {
      await dropSlot(subject)
      await untilDone(() => subject.trim())
    }
  }

  /** A run that is not killed: all is read once. */
  async #settle(): Promise<boolean> {
    const { subjects, patienceMs } = this.#options
    const program = this.#start()
    const areStreaming = async () => (await Promise.all(subjects.map(isStreaming))).every(Boolean)
    const isSettled = await program.until(areStreaming, patienceMs)
    const end = await program.stop()
    if (!isSettled || end !== '0') this.#complain(`the first run ended with ${end}`, program)
    return isSettled
  }

  /** One run of the program, up to a kill. False: it ended by itself. */
  async #round(phase: Phase): Promise<boolean> {
    const { load } = this.#options
    const situation = situationOf(phase, this.#site)
    await situation.prepare?.()
    const program = this.#start(situation.heals)
    try {
      const isReached = await situation.reach(program)
      const rate = load.rowsPerSecond
      await program.kill()
      if (program.hasEndedByItself) {
        this.#complain(`the program ended by itself with ${program.end}`, program)
        return false
      }
      // Whoever heals what nobody broke hides a loss.
      if (!situation.heals && program.says(/A new snapshot is taken/)) {
        this.#complain('the program took a new snapshot that nobody had asked for', program)
      }
      const hit = isReached ? await (situation.prove ?? (async () => ''))() : undefined
      const actual = hit !== undefined ? phase : isReached ? 'stream' : 'restart'
      this.#note(phase, { actual, rate, hit: hit ?? '' })
    } finally {
      await program.kill()
      await situation.end?.()
    }
    return true
  }

  #note(meant: Phase, { actual, rate, hit }: { actual: Phase; rate: number; hit: string }): void {
    this.tally.kill(actual, rate)
    const remarks = [...(actual === meant ? [] : [`meant: ${meant}`]), ...(hit ? [hit] : [])]
    const remark = remarks.length === 0 ? '' : ` (${remarks.join('; ')})`
    this.#options.say(`  killed in ${actual}${remark}, ${rate} rows/s`)
  }

  #start(heals = false): Program {
    const { command, configured } = this.#options
    const file = heals ? configured.healingFile : configured.file
    this.#program = new Program({ ...command, file })
    return this.#program
  }

  /** Everything must come to agree once the load and all snapshots have ended. */
  async #end(survives: boolean): Promise<void> {
    const { observers, patienceMs, configured } = this.#options
    const targets = observers.map(({ target }) => target)
    for (let isOver = false; !isOver; ) {
      const program = this.#program!
      const hasEnded = () => program.end !== undefined
      const differences = await judge(targets, { stillMs: patienceMs, isOver: hasEnded })
      const end = await program.stop()
      if (survives && end !== '0') this.#complain(`the program ended with ${end}`, program)
      // What a snapshot has yet to sweep could still be lost.
      const tables = end === '0' ? await this.#tablesLeft() : []
      isOver = tables.length === 0
      if (isOver) this.#reportDifferences(differences)
      else await this.#read(tables)
    }
    for (const fault of await inspectLog(configured.logPath)) this.#complain(fault, this.#program!)
    for (const observer of observers) this.#reportRegressions(observer)
  }

  /** `connector: table` of each table of which a snapshot is under way. */
  async #tablesLeft(): Promise<readonly string[]> {
    const { subjects, configured } = this.#options
    const tables: string[] = []
    for (const { connector } of subjects) {
      const position = await positionAfterKill(configured.logPath, connector)
      if (position === undefined) continue
      for (const table of tablesUnderWay(position))
        tables.push(`${connector}: snapshot of ${table}`)
    }
    return tables
  }

  /** Lets the program run until it says that these are read. */
  async #read(snapshots: readonly string[]): Promise<void> {
    const program = this.#start()
    const isRead = (what: string) => program.lines.some((line) => line.includes(`${what}: `))
    if (await program.until(() => snapshots.every(isRead), readMs)) return
    this.#complain(`did not end: ${snapshots.filter((what) => !isRead(what))}`, program)
  }

  #reportDifferences(differences: ReadonlyMap<string, Difference>): void {
    const { say } = this.#options
    for (const [name, difference] of differences) {
      const { missing, extra, different, example } = difference
      this.tally.lost += missing
      this.tally.wrong += extra + different
      if (agrees(difference)) say(`  ${name}: as in Postgres`)
      else {
        say(`  ${name}: lost ${missing}, extra ${extra}, different ${different}, as ${example}`)
      }
    }
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

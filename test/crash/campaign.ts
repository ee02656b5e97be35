import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { agrees, type Difference } from '../../config/orders/demo/verdict.ts'
import { tablesUnderWay } from './evidence.ts'
import { Fleet, type Victims } from './fleet.ts'
import type { Load } from './load.ts'
import type { Observer } from './observer.ts'
import { untilDone } from './ordinary.ts'
import { type Phase, planLives } from './plan.ts'
import type { Command } from './program.ts'
import { dropSlot, isStreaming } from './shop-database.ts'
import { type Site, type Situation, situationOf } from './situation.ts'
import { Tally, wantedRate } from './tally.ts'
import { judge } from './verdict.ts'

export interface CampaignOptions extends Omit<Site, 'opening'> {
  readonly rounds: number
  readonly phases: readonly Phase[]
  readonly load: Load
  readonly observers: readonly Observer[]
  /** One for each instance of the program. */
  readonly commands: readonly Omit<Command, 'file'>[]
  /** How long a sink may stand still at the end of a life before it counts as stuck. */
  readonly patienceMs: number
  readonly say: (line: string) => void
}

/** Longer than an instance may be silent before others take its partitions. */
const suspendedMs = 8_000

/** How long what is left of a snapshot may take. */
const readMs = 180_000

/** Kills the program again and again, and finds out what that did to the sinks. */
export class Campaign {
  readonly tally = new Tally()
  readonly #options: CampaignOptions
  readonly #site: Site
  readonly #fleet: Fleet
  #opening: Promise<void> = Promise.resolve()

  constructor(options: CampaignOptions) {
    this.#options = options
    this.#fleet = new Fleet(options.commands)
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
      await this.#fleet.kill()
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
    if (survives) this.#start()
    await sleep(random.below(2_000))
    await load.stop()
    await this.#end(survives)
  }

  /** A fresh log and fresh slots; the sinks still hold what the last life left. */
  async #begin(): Promise<void> {
    const { subjects, log, observers } = this.#options
    for (const observer of observers) await observer.beginLife()
    await log.empty()
    for (const subject of subjects) {
      await dropSlot(subject)
      await untilDone(() => subject.trim())
    }
  }

  /** A run that is not killed: all is read once. */
  async #settle(): Promise<boolean> {
    const { subjects, patienceMs } = this.#options
    this.#start()
    const areStreaming = async () => (await Promise.all(subjects.map(isStreaming))).every(Boolean)
    const isSettled = await this.#fleet.until(areStreaming, patienceMs)
    const end = await this.#fleet.stop()
    if (!isSettled || end !== '0') this.#complain(`the first run ended with ${end}`)
    return isSettled
  }

  /** One run of the program, up to a kill. False: it ended by itself. */
  async #round(phase: Phase): Promise<boolean> {
    const { load } = this.#options
    const fleet = this.#fleet
    const situation = situationOf(phase, this.#site)
    if (situation.prepare !== undefined) await fleet.kill()
    await situation.prepare?.()
    this.#start(situation.heals)
    const victims = this.#victims(situation)
    const isZombie = phase === 'stream' && victims.length < fleet.size
    try {
      const isReached = await situation.reach(fleet)
      const rate = load.rowsPerSecond
      if (isZombie) await fleet.suspend(victims[0]!, suspendedMs)
      await fleet.kill(victims)
      if (fleet.hasEndedByItself) {
        this.#complain(`the program ended by itself with ${fleet.end}`)
        return false
      }
      // Whoever heals what nobody broke hides a loss.
      if (!situation.heals && fleet.says(/A new snapshot is taken/)) {
        this.#complain('the program took a new snapshot that nobody had asked for')
      }
      const hit = isReached ? await (situation.prove ?? (async () => ''))() : undefined
      const actual = hit !== undefined ? phase : isReached ? 'stream' : 'restart'
      this.#note(phase, {
        actual,
        rate,
        hit: [hit, this.#named(victims), isZombie && 'as a zombie'].filter(Boolean).join('; '),
      })
    } finally {
      await situation.end?.()
    }
    return true
  }

  /** Of several instances one or all. None may go on with a configuration that is not the usual. */
  #victims({ heals }: Situation): Victims {
    const all = [...Array(this.#fleet.size).keys()]
    if (all.length === 1 || heals) return all
    return this.#options.random.pick([...all.map((i) => [i]), all])
  }

  #named(victims: Victims): string {
    if (this.#fleet.size === 1) return ''
    return victims.length === 1 ? `instance ${victims[0]! + 1} alone` : 'all instances'
  }

  #note(meant: Phase, { actual, rate, hit }: { actual: Phase; rate: number; hit: string }): void {
    this.tally.kill(actual, rate)
    const remarks = [...(actual === meant ? [] : [`meant: ${meant}`]), ...(hit ? [hit] : [])]
    const remark = remarks.length === 0 ? '' : ` (${remarks.join('; ')})`
    this.#options.say(`  killed in ${actual}${remark}, ${rate} rows/s`)
  }

  #start(heals = false): void {
    const { configured } = this.#options
    this.#fleet.start(heals ? configured.healingFile : configured.file)
  }

  /** Everything must come to agree once the load and all snapshots have ended. */
  async #end(survives: boolean): Promise<void> {
    const { observers, patienceMs, log } = this.#options
    const targets = observers.map(({ target }) => target)
    for (let isOver = false; !isOver; ) {
      const hasEnded = () => this.#fleet.end !== undefined
      const differences = await judge(targets, { stillMs: patienceMs, isOver: hasEnded })
      const end = await this.#fleet.stop()
      if (survives && end !== '0') this.#complain(`the program ended with ${end}`)
      // What a snapshot has yet to sweep could still be lost.
      const tables = end === '0' ? await this.#tablesLeft() : []
      isOver = tables.length === 0
      if (isOver) this.#reportDifferences(differences)
      else await this.#read(tables)
    }
    for (const fault of await log.faults()) this.#complain(fault)
    for (const observer of observers) this.#reportRegressions(observer)
  }

  /** `connector: table` of each table of which a snapshot is under way. */
  async #tablesLeft(): Promise<readonly string[]> {
    const { subjects, log } = this.#options
    const tables: string[] = []
    for (const { connector } of subjects) {
      const position = await log.position(connector)
      if (position === undefined) continue
      for (const table of tablesUnderWay(position))
        tables.push(`${connector}: snapshot of ${table}`)
    }
    return tables
  }

  /** Lets the program run until it says that these are read. */
  async #read(snapshots: readonly string[]): Promise<void> {
    this.#start()
    const isRead = (what: string) => this.#fleet.lines.some((line) => line.includes(`${what}: `))
    if (await this.#fleet.until(() => snapshots.every(isRead), readMs)) return
    this.#complain(`did not end: ${snapshots.filter((what) => !isRead(what))}`)
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

  #complain(what: string): void {
    const { lines } = this.#fleet
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

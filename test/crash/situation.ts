import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Configured } from './configuration.ts'
import { describeInside, isBehind, isHealing, rangesLeft, rowsReread } from './evidence.ts'
import type { Fleet } from './fleet.ts'
import type { Gate } from './gate.ts'
import type { Mortal } from './mortal.ts'
import { untilDone } from './ordinary.ts'
import type { Phase } from './plan.ts'
import { type Command, cli } from './program.ts'
import type { Random } from './random.ts'
import { dropSlot, hasRead, isStreaming } from './shop-database.ts'
import { Storm, weathers } from './storm.ts'
import type { Subject } from './subject.ts'
import type { TestedLog } from './tested-log.ts'

/** What there is around the program. */
export interface Site {
  readonly random: Random
  readonly subjects: readonly Subject[]
  /** Of a connector's database. */
  readonly urls: Readonly<Record<string, string>>
  readonly gates: readonly Gate[]
  /** The servers that sinks write to. */
  readonly mortals: readonly Mortal[]
  readonly configured: Configured
  readonly log: TestedLog
  readonly commands: readonly Pick<Command, 'env'>[]
  /** For how long the program follows the changes at most before it is killed. */
  readonly streamMs: number
  /** Gates that are to be opened again later. */
  readonly opening: (reopen: () => Promise<void>) => void
}

/** How a program is brought into a phase, and how the kill is shown to have come in it. */
export interface Situation {
  /** Runs with the configuration that takes a new snapshot where the slot is lost. */
  readonly heals?: boolean
  /** Before the program starts. */
  prepare?(): Promise<void>
  /** Lets the program come to the moment of its kill. False: it never came that far. */
  reach(program: Fleet): Promise<boolean>
  /** After the kill: what it hit, in words; `undefined`: something else. */
  prove?(): Promise<string | undefined>
  /** After the kill: nothing of it goes on. */
  end?(): Promise<void>
}

const startMs = 30_000

export function situationOf(phase: Phase, site: Site): Situation {
  const { random } = site
  const weather = weathers[phase]
  if (weather !== undefined) return inStorm(phase, site)
  if (phase === 'restart') return { reach: (program) => wait(program, random.below(1_500)) }
  if (phase === 'snapshot') return inSnapshot(site)
  if (phase === 'incremental') return inIncremental(site)
  if (phase === 'vanish') return inVanish(site)
  if (phase === 'target-kill') return inTargetKill(site)
  return {
    async reach(program) {
      const areStreaming = async () =>
        (await Promise.all(site.subjects.map(isStreaming))).every(Boolean)
      if (!(await program.until(areStreaming, startMs))) return false
      if (phase === 'sink-down') return shut(site, program)
      return wait(program, random.between(500, site.streamMs))
    },
  }
}

function inSnapshot({ random, subjects, log }: Site): Situation {
  return {
    async reach(program) {
      const begins = /snapshot of public\.\S+ begins/
      const isCopying = await program.until(() => program.says(begins), startMs)
      return isCopying && wait(program, random.below(4_000))
    },
    async prove() {
      const left: string[] = []
      for (const { connector } of subjects) {
        const position = await log.position(connector)
        const ranges = position && rangesLeft(position)
        if (ranges !== undefined) left.push(`${connector} had ${ranges} ranges left`)
      }
      return left.length === 0 ? undefined : left.join(', ')
    },
  }
}

/** Asked by the signal table or by the command line. */
function inIncremental(site: Site): Situation {
  const { random, subjects, log } = site
  const subject = random.pick(subjects)
  const { connector, tables, client } = subject
  const bySignal = random.below(2) === 0
  return {
    async reach(program) {
      if (!(await program.until(() => isStreaming(subject), startMs))) return false
      const before = program.lines.length
      if (bySignal) {
        const data = JSON.stringify({ 'data-collections': tables })
        await client.query("INSERT INTO signals VALUES ('s', 'execute-snapshot', $1)", [data])
      } else {
        await snapshotByCommand(connector, tables, site)
      }
      const begins = new RegExp(`${connector}: snapshot of ${tables[0]} begins`)
      const isReading = () => program.lines.slice(before).some((line) => begins.test(line))
      return (await program.until(isReading, startMs)) && wait(program, random.between(300, 2_000))
    },
    async prove() {
      const position = await log.position(connector)
      const rows = position && rowsReread(position)
      const asked = bySignal ? 'a signal' : 'the command line'
      return rows ? `${connector} had read ${rows} rows again, asked by ${asked}` : undefined
    },
  }
}

/** Asks every instance: the one that has the slot does it. */
async function snapshotByCommand(
  connector: string,
  tables: readonly string[],
  { configured, commands }: Site,
): Promise<void> {
  const args = ['--conditions=millrace-source', cli, 'snapshot', connector, ...tables]
  const all = [...args, '--config', configured.file]
  for (const command of commands) {
    const env = { ...process.env, ...command.env }
    await promisify(execFile)(process.execPath, all, { env }).catch(() => {}) // It ended.
  }
}

/** The slot is lost while the program is down, and rows go that no WAL will tell of. */
function inVanish({ random, subjects, log }: Site): Situation {
  const subject = random.pick(subjects)
  const { connector } = subject
  return {
    heals: true,
    async prepare() {
      await dropSlot(subject)
      await untilDone(() => subject.vanish(random.below(7)))
    },
    async reach(program) {
      const heals = new RegExp(`${connector}: .*A new snapshot is taken`)
      const begins = new RegExp(`${connector}: snapshot of .* begins`)
      if (!(await program.until(() => program.says(heals), startMs))) return false
      if (!(await program.until(() => program.says(begins), startMs))) return false
      return wait(program, random.below(2_500))
    },
    async prove() {
      const position = await log.position(connector)
      return position && isHealing(position) ? `${connector} had not swept yet` : undefined
    },
  }
}

/** Transactions of one kind come one after the other, or a large one comes. */
function inStorm(phase: Phase, { random, subjects, urls, log }: Site): Situation {
  const weather = weathers[phase]!
  const { connector } = weather
  const subject = subjects.find((one) => one.connector === connector)!
  const storm = new Storm(urls[connector]!, weather)
  const isSingle = weather.everyMs === undefined
  const early = isSingle && random.below(3) === 0
  let committed: bigint | undefined
  const isUnread = async () => {
    committed = storm.committed
    return committed !== undefined && !(await hasRead(subject, committed))
  }
  return {
    async reach(program) {
      if (!(await program.until(() => isStreaming(subject), startMs))) return false
      storm.start()
      if (!(await program.until(() => storm.isInside, startMs))) return false
      if (!(await wait(program, random.below(isSingle ? 900 : 3_000)))) return false
      if (early && storm.isInside) return true
      return (
        (await program.until(isUnread, startMs)) && wait(program, random.below(isSingle ? 250 : 40))
      )
    },
    async prove() {
      if (early && committed === undefined) return 'before its commit'
      const position = await log.position(connector)
      if (position === undefined || committed === undefined) return undefined
      return isBehind(position, committed)
        ? `not all was read${describeInside(position)}`
        : undefined
    },
    end: () => storm.stop(),
  }
}

/** Servers die under the program; they come back while it runs, or later. */
function inTargetKill({ subjects, mortals, random, opening }: Site): Situation {
  let victims: readonly Mortal[] = []
  const comesBackFirst = random.below(2) === 0
  const restart = async () => {
    for (const victim of victims) await victim.restart()
  }
  return {
    async reach(program) {
      const areStreaming = async () => (await Promise.all(subjects.map(isStreaming))).every(Boolean)
      if (!(await program.until(areStreaming, startMs))) return false
      // Those of a round before may not be back yet.
      const alive = () => mortals.filter(({ isDead }) => !isDead)
      if (!(await program.until(() => alive().length > 0, startMs))) return false
      await wait(program, random.below(1_500))
      victims = random.shuffle(alive()).slice(random.below(alive().length))
      for (const victim of victims) await victim.kill()
      await wait(program, random.between(300, 2_000))
      if (comesBackFirst) {
        await restart()
        return wait(program, random.below(4_000))
      }
      const laterMs = random.below(4_000)
      opening(() => sleep(laterMs).then(restart))
      return true
    },
    async prove() {
      if (victims.length === 0) return undefined
      const how = comesBackFirst ? 'had come back' : 'were down'
      return `${victims.map(({ name }) => name).join(' and ')} ${how}`
    },
  }
}

/** Shuts some of the gates; they open a while later, be it before or after the next start. */
async function shut({ gates, random, opening }: Site, program: Fleet): Promise<boolean> {
  await wait(program, random.below(500))
  const some = gates.length === 0 ? [] : random.shuffle(gates).slice(random.below(gates.length))
  for (const gate of some) gate.shut()
  await wait(program, random.between(500, 4_000))
  const laterMs = random.below(5_000)
  opening(async () => {
    await sleep(laterMs)
    for (const gate of some) await gate.open()
  })
  return true
}

/** False: the program ended meanwhile. */
function wait(program: Fleet, ms: number): Promise<boolean> {
  const from = performance.now()
  return program.until(() => performance.now() - from >= ms, ms + 1_000)
}

import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Configured } from './configuration.ts'
import {
  describeInside,
  isBehind,
  isHealing,
  positionAfterKill,
  rangesLeft,
  rowsReread,
} from './evidence.ts'
import type { Gate } from './gate.ts'
import { untilDone } from './ordinary.ts'
import type { Phase } from './plan.ts'
import { cli, type Program } from './program.ts'
import type { Random } from './random.ts'
import { dropSlot, hasRead, isStreaming } from './shop-database.ts'
import { Storm, weathers } from './storm.ts'
import type { Subject } from './subject.ts'

/** What there is around the program. */
export interface Site {
  readonly random: Random
  readonly subjects: readonly Subject[]
  /** Of a connector's database. */
  readonly urls: Readonly<Record<string, string>>
  readonly gates: readonly Gate[]
  readonly configured: Configured
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
  reach(program: Program): Promise<boolean>
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
  return {
    async reach(program) {
      const areStreaming = async () =>
        (await Promise.all(site.subjects.map(isStreaming))).every(Boolean)
      if (!(await program.until(areStreaming, startMs))) return false
      if (phase === 'sink-down') return shut(site, program)
      return wait(program, random.between(500, 3_000))
    },
  }
}

function inSnapshot({ random, subjects, configured }: Site): Situation {
  return {
    async reach(program) {
      const begins = /snapshot of public\.\S+ begins/
      const isCopying = await program.until(() => program.says(begins), startMs)
      return isCopying && wait(program, random.below(4_000))
    },
    async prove() {
      const left: string[] = []
      for (const { connector } of subjects) {
        const position = await positionAfterKill(configured.logPath, connector)
        const ranges = position && rangesLeft(position)
        if (ranges !== undefined) left.push(`${connector} had ${ranges} ranges left`)
      }
      return left.length === 0 ? undefined : left.join(', ')
    },
  }
}

/** Asked by the signal table or by the command line. */
function inIncremental({ random, subjects, configured }: Site): Situation {
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
        await snapshotByCommand(connector, tables, configured.file).catch(() => {}) // It ended.
      }
      const begins = new RegExp(`${connector}: snapshot of ${tables[0]} begins`)
      const isReading = () => program.lines.slice(before).some((line) => begins.test(line))
      return (await program.until(isReading, startMs)) && wait(program, random.between(300, 2_000))
    },
    async prove() {
      const position = await positionAfterKill(configured.logPath, connector)
      const rows = position && rowsReread(position)
      const asked = bySignal ? 'a signal' : 'the command line'
      return rows ? `${connector} had read ${rows} rows again, asked by ${asked}` : undefined
    },
  }
}

async function snapshotByCommand(
  connector: string,
  tables: readonly string[],
  file: string,
): Promise<void> {
  const args = ['--conditions=millrace-source', cli, 'snapshot', connector, ...tables]
  await promisify(execFile)(process.execPath, [...args, '--config', file])
}

/** The slot is lost while the program is down, and rows go that no WAL will tell of. */
function inVanish({ random, subjects, configured }: Site): Situation {
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
      const position = await positionAfterKill(configured.logPath, connector)
      return position && isHealing(position) ? `${connector} had not swept yet` : undefined
    },
  }
}

/** Transactions of one kind come one after the other, or a large one comes. */
function inStorm(phase: Phase, { random, subjects, urls, configured }: Site): Situation {
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
      const position = await positionAfterKill(configured.logPath, connector)
      if (position === undefined || committed === undefined) return undefined
      return isBehind(position, committed)
        ? `not all was read${describeInside(position)}`
        : undefined
    },
    end: () => storm.stop(),
  }
}

/** Shuts some of the gates; they open a while later, be it before or after the next start. */
async function shut({ gates, random, opening }: Site, program: Program): Promise<boolean> {
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
function wait(program: Program, ms: number): Promise<boolean> {
  const from = performance.now()
  return program.until(() => performance.now() - from >= ms, ms + 1_000)
}

import { type Registry, registry } from '../config/registry.ts'
import { askControl } from '../control/control.ts'
import { type Repaired, repair } from '../control/repair.ts'
import { type ExitCode, exitCodes } from '../exit.ts'
import { type Looking, lookAt, type Subject } from '../inspect/sink-subject.ts'
import { showCount } from '../inspect/status-text.ts'
import { type Difference, type Verification, verify } from '../inspect/verify.ts'
import { openTerminal, type Terminal } from '../terminal.ts'

export interface VerifyCommandOptions {
  readonly sample?: number | undefined
  readonly repair?: boolean | undefined
  readonly json?: boolean | undefined
  /** Prints the documents that differ, too. */
  readonly show?: boolean | undefined
  /** How long the sink may take to come to what is compared. */
  readonly patienceMs?: number | undefined
  readonly registry?: Registry
}

/** `millrace verify FILE SINK`: compares what a sink holds with the topic that it reads. */
export async function verifyCommand(
  file: string,
  sink: string,
  options: VerifyCommandOptions = {},
): Promise<ExitCode> {
  const looking = await lookAt(file, sink, options.registry ?? registry)
  const terminal = openTerminal(looking.mask)
  try {
    let isEqual = true
    for (const subject of looking.subjects) {
      if (!(await verifySubject(looking, subject, { options, terminal }))) isEqual = false
    }
    return isEqual ? exitCodes.ok : exitCodes.failed
  } finally {
    await looking.close()
  }
}

interface Telling {
  readonly options: VerifyCommandOptions
  readonly terminal: Terminal
}

async function verifySubject(
  { log, config }: Looking,
  subject: Subject,
  { options, terminal }: Telling,
): Promise<boolean> {
  const directory = config.log.path
  const { sample, patienceMs = 30_000 } = options
  const isRunning = await runs(directory)
  if (!isRunning) terminal.note('nothing is running: what the sink has not come to is pending')
  const verification = await verify(log, subject, {
    sample,
    patienceMs: isRunning ? patienceMs : 0,
  })
  const { differences } = verification.verified
  const { state } = verification
  const repaired: Repaired[] = []
  if (options.repair && differences.length > 0) {
    for await (const each of repair({ directory, subject, state }, differences)) repaired.push(each)
  }
  await tell(verification, subject, { repaired, options, terminal })
  return differences.length === repaired.filter(({ mended }) => mended).length
}

/** To be answered at all is enough. */
async function runs(directory: string): Promise<boolean> {
  for await (const _ of (await askControl(directory, { ask: 'status' })) ?? []) return true
  return false
}

async function tell(
  { verified, state }: Verification,
  subject: Subject,
  { repaired, options, terminal }: Telling & { readonly repaired: readonly Repaired[] },
): Promise<void> {
  const byId = new Map(repaired.map((each) => [each.id, each]))
  const documents = options.show ? await documentsOf(verified.differences, subject, state) : []
  if (options.json) {
    const { differences, ...rest } = verified
    const all = differences.map((each, i) => ({ ...each, ...byId.get(each.id), ...documents[i] }))
    await terminal.print(JSON.stringify({ v: 1, ...rest, differences: all }))
    return
  }
  const { topic, sink } = verified.documents
  await terminal.print(
    `${verified.sink}: ${showCount(topic)} documents in ${verified.topic}, ${showCount(sink)} in the sink; ` +
      `${showCount(verified.compared)} compared, up to offset ${verified.offset}`,
  )
  for (const [i, difference] of verified.differences.entries()) {
    await terminal.print(showDifference(difference, byId.get(difference.id)))
    if (documents[i] === undefined) continue
    await terminal.print(`  topic  ${documents[i].topic ?? '-'}`)
    await terminal.print(`  sink   ${documents[i].sink ?? '-'}`)
  }
  await terminal.print(summary(verified, repaired, options.repair === true))
}

function showDifference(difference: Difference, repaired: Repaired | undefined): string {
  const { kind, id, expected, held, letter } = difference
  const versions = `version ${expected ?? 'none'} in the topic, ${held ?? 'none'} in the sink`
  const because = letter === undefined ? '' : `, letter ${letter}`
  const done =
    repaired === undefined ? '' : repaired.mended ? '; mended' : `; not mended: ${repaired.note}`
  return `${kind.padEnd(9)}  ${id}  ${versions}${because}${done}`
}

function summary(
  { differences, pending, unsettled }: Verification['verified'],
  repaired: readonly Repaired[],
  isRepair: boolean,
): string {
  const mended = repaired.filter((each) => each.mended).length
  const found = differences.length === 1 ? '1 difference' : `${differences.length} differences`
  const what = differences.length === 0 ? 'no difference' : found
  const hint = differences.length === 0 ? '' : isRepair ? `, ${mended} mended` : '; --repair mends'
  return [
    `${what}${hint}`,
    ...(pending === 0 ? [] : [`${showCount(pending)} not delivered yet`]),
    ...(unsettled === 0 ? [] : [`${showCount(unsettled)} changed all the while`]),
  ].join('; ')
}

interface Texts {
  readonly topic: string | null
  readonly sink: string | null
}

async function documentsOf(
  differences: readonly Difference[],
  { reading }: Subject,
  state: Verification['state'],
): Promise<readonly Texts[]> {
  const held = await reading.some(differences.map(({ id }) => id))
  const byId = new Map(held.map(({ id, doc }) => [id, doc]))
  return Promise.all(
    differences.map(async ({ id }) => ({
      topic: await state.textOf(id),
      sink: byId.get(id) ?? null,
    })),
  )
}

import type { Inspection } from '../../log/inspection.ts'
import type { Letter } from '../../log/letter.ts'
import type { Registry } from '../config/registry.ts'
import { askControl } from '../control/control.ts'
import { findDataDirectory } from '../control/data-directory.ts'
import type { Dealt } from '../control/replay.ts'
import { CommandFailure, type ExitCode, exitCodes } from '../exit.ts'
import { inspectLog } from '../inspect/inspect-log.ts'
import { exportLetter, letterAsJson, showLetter, showLetterRow } from '../inspect/letter-text.ts'
import { openTerminal, type Terminal } from '../terminal.ts'

/** Which letters are meant; what is left out does not matter. */
export interface LetterFilter {
  /** By their ids, or beginnings of them. */
  readonly ids?: readonly string[]
  /** The sink's name in the configuration. */
  readonly sink?: string | undefined
  readonly code?: string | undefined
  /** Also those that are done with. */
  readonly all?: boolean | undefined
}

export interface DlqOptions extends LetterFilter {
  readonly json?: boolean | undefined
  readonly registry?: Registry
}

type Located = Pick<DlqOptions, 'registry'> & { readonly file: string }

/** `millrace dlq ls FILE`: the records that were refused, without their rows. */
export async function listLetters(file: string, options: DlqOptions): Promise<ExitCode> {
  const terminal = openTerminal()
  return withLog({ file, ...options }, async (log) => {
    const letters = await select(log, options)
    for (const letter of letters) {
      await terminal.print(options.json ? letterAsJson(letter) : showLetterRow(letter))
    }
    if (!options.json) terminal.note(count(letters.length))
    return exitCodes.ok
  })
}

/** `millrace dlq show FILE LETTER`: one letter, with the record as it was refused. */
export async function showLetters(file: string, options: DlqOptions): Promise<ExitCode> {
  const terminal = openTerminal()
  return withLog({ file, ...options }, async (log) => {
    const letters = await select(log, { ...options, all: true })
    for await (const { letter, record } of log.withRecords(letters)) {
      await terminal.print(options.json ? exportLetter(letter, record) : showLetter(letter, record))
    }
    return exitCodes.ok
  })
}

/** `millrace dlq export FILE`: letters with their records, one line of JSON for each. */
export async function exportLetters(file: string, options: DlqOptions): Promise<ExitCode> {
  const terminal = openTerminal()
  return withLog({ file, ...options }, async (log) => {
    for await (const { letter, record } of log.withRecords(await select(log, options))) {
      await terminal.print(exportLetter(letter, record))
    }
    return exitCodes.ok
  })
}

/** So many letters go into one question. */
const lettersAtOnce = 1_000

/** `millrace dlq replay|skip FILE`: has the running pipeline deal with letters. */
export async function dealWithLetters(
  file: string,
  deed: 'replay' | 'skip',
  options: DlqOptions,
): Promise<ExitCode> {
  const terminal = openTerminal()
  const directory = findDataDirectory({ file }, process.env)
  const ids = await withLog({ file, ...options }, async (log) => {
    return (await select(log, options)).map(({ id }) => id)
  })
  let open = 0
  for (let at = 0; at < ids.length; at += lettersAtOnce) {
    const some = ids.slice(at, at + lettersAtOnce)
    const answers = await askControl(directory, { ask: 'letters', do: deed, ids: some })
    if (answers === undefined) {
      throw new CommandFailure(`nothing is running on ${directory}: start the pipeline first`)
    }
    for await (const answer of answers) {
      const dealt = answer as Dealt
      await tell(dealt, options, terminal)
      if (dealt.state === 'open') open++
    }
  }
  if (!options.json) terminal.note(count(ids.length))
  return open === 0 ? exitCodes.ok : exitCodes.failed
}

async function tell(dealt: Dealt, { json }: DlqOptions, terminal: Terminal): Promise<void> {
  const { id, state, note } = dealt
  const why = note === null ? '' : `: ${note}`
  await terminal.print(json ? JSON.stringify(dealt) : `${id}  ${state}${why}`)
}

/** A letter that was named must be there. */
async function select(
  log: Inspection,
  { ids = [], sink, code, all }: LetterFilter,
): Promise<readonly Letter[]> {
  const letters = (await log.letters()).filter((letter) => {
    if (ids.length > 0) return ids.some((id) => letter.id.startsWith(id))
    if (!all && letter.state !== 'open') return false
    return (
      (sink === undefined || isOf(letter, sink)) && (code === undefined || letter.code === code)
    )
  })
  for (const id of ids) {
    const found = letters.filter((letter) => letter.id.startsWith(id))
    if (found.length === 0) throw new CommandFailure(`there is no letter ${id}`)
    if (found.length > 1) throw new CommandFailure(`${found.length} letters begin with ${id}`)
  }
  return letters
}

/** A group is `<pipeline>.<sink>.<topic>`; no part's name has a dot. */
function isOf({ sink: group }: Letter, name: string): boolean {
  return group.split('.')[1] === name.split('/')[0]
}

async function withLog<T>(
  { file, registry }: Located,
  work: (log: Inspection) => Promise<T>,
): Promise<T> {
  const log = await inspectLog({ file }, registry)
  try {
    return await work(log)
  } finally {
    await log.close()
  }
}

function count(letters: number): string {
  return letters === 1 ? '1 letter' : `${letters} letters`
}
